# Grouping factors of a mixed model: a code 1..levels for every row, and the labels of the levels,
# in lme4's order. No text is made per row.

# list(codes (n integers), levels (labels)) of a grouping expression: a column of the frame, or an
# interaction `a:b` of groupings.
group_factor <- function(group, frame, call) {
  if (is.call(group) && operator_of(group) == "(") {
    return(group_factor(group[[2L]], frame, call))
  }
  if (is.call(group) && operator_of(group) == ":") {
    return(cross_groups(
      group_factor(group[[2L]], frame, call), group_factor(group[[3L]], frame, call)
    ))
  }
  column <- frame[[label_of(group)]]
  if (is.null(column)) {
    abort_argument(
      "formula", paste0("has `", label_of(group), "` as a grouping factor."),
      c(i = "Group by a variable, an interaction `a:b`, or nested variables `a/b`."), call
    )
  }
  if (is.factor(column)) {
    return(list(codes = unattributed(column), levels = group_labels_of(levels(column))))
  }
  if (length(dim(column)) > 1L) {
    abort_variable_type(label_of(group), column, call)
  }
  code_values(column)
}

# The integers of a factor, without its attributes.
unattributed <- function(column) {
  attributes(column) <- NULL
  column
}

# Codes of a vector that is no factor, as factor() orders and labels them.
code_values <- function(values) {
  if (is.integer(values) && !is.object(values)) {
    # A table is smaller and quicker than a hash.
    largest <- max(values)
    if (min(values) > 0L && largest <= 4 * length(values)) {
      present <- tabulate(values, largest) > 0L
      return(list(codes = cumsum(present)[values], levels = as.character(which(present))))
    }
  }
  distinct <- unique(values)
  distinct <- distinct[order(distinct)]
  codes <- match(values, distinct)
  labels <- as.character(distinct)
  # Numbers that print alike are one level.
  if (anyDuplicated(labels)) {
    codes <- match(labels, unique(labels))[codes]
    labels <- unique(labels)
  }
  list(codes = codes, levels = labels)
}

# An explicit missing level is a level.
group_labels_of <- function(levels) {
  levels[is.na(levels)] <- "NA"
  levels
}

# The combinations that occur, ordered by the first grouping, then the second.
cross_groups <- function(first, second) {
  count <- length(second$levels)
  cells <- (first$codes - 1) * count + second$codes
  occurring <- sort(unique(cells))
  list(
    codes = match(cells, occurring),
    levels = paste(
      first$levels[(occurring - 1) %/% count + 1], second$levels[(occurring - 1) %% count + 1],
      sep = ":"
    )
  )
}

# Whether two groupings divide the rows alike.
same_groups <- function(first, second) {
  if (length(first$levels) != length(second$levels)) {
    return(FALSE)
  }
  translation <- integer(length(first$levels))
  translation[first$codes] <- second$codes
  identical(translation[first$codes], as.integer(second$codes))
}
