# X, Z, names, levels and the order of theta are those of lme4::lFormula(), on every formula of the
# grammar.

herd <- local({
  set.seed(3)
  n <- 240
  d <- data.frame(
    y = rnorm(n), x = rnorm(n), z = runif(n), i = rep(1:8, 30), w = runif(n, 0.5, 2),
    f = factor(sample(c("low", "mid", "high"), n, TRUE), c("low", "mid", "high", "never")),
    o = factor(sample(c("a", "b", "c"), n, TRUE), ordered = TRUE),
    l = rep(c(TRUE, FALSE, FALSE), n / 3), s = sample(c("u", "v"), n, TRUE),
    g = factor(sample(sprintf("g%02d", 1:12), n, TRUE)),
    a = factor(rep(LETTERS[1:6], each = 40)), b = rep(1:5, 48), k = rep(c(10, 2, 33, 4), 60),
    day = as.Date("2024-01-01") + rep(0:59, 4), `odd name` = rnorm(n), check.names = FALSE,
    stringsAsFactors = FALSE
  )
  d$ab <- interaction(d$a, d$b)
  d
})

formulas <- list(
  y ~ x + (1 | g), y ~ x + (x | g), y ~ 1 + (1 | g), y ~ (1 | g), y ~ 0 + x + (1 | g),
  y ~ x - 1 + (1 | g), y ~ x + (1 | g) - 1, y ~ (1 | g) + x, y ~ x + (0 + x | g),
  y ~ x + (x - 1 | g), y ~ x + (x || g), y ~ x * z + (x + z || g), y ~ x + (1 + x | g) + (1 | a),
  y ~ x + (1 | a) + (x | g), y ~ x + (1 | g) + (0 + x | g), y ~ x + (1 | a / b),
  y ~ x + (x | a / b), y ~ x + (x || a / b), y ~ x + (1 | a:b), y ~ x + (1 | a / b / k),
  y ~ x + (1 | b) + (1 | a:b), y ~ x + (1 | a:b:k), y ~ f + (f | g), y ~ f + (0 + f | g),
  y ~ f * x + (f * x | a), y ~ o + (o | g), y ~ l + (l | g), y ~ s + (s | g), y ~ x + (1 | s) +
    (1 | g),
  y ~ poly(x, 2) + (poly(x, 2) | g), y ~ x + (poly(x, 2) | a), y ~ x + (1 | factor(b)),
  y ~ x + (1 | interaction(a, b)), y ~ x + (1 | b) + (1 | k) + (1 | a), y ~ log(z) + I(x^2) +
    (log(z) | g),
  y ~ x + offset(z) + (1 | g), y ~ f:x + (1 | g), y ~ x + z + f + (x + z | g) + (f | a),
  y ~ day + (1 | g), y ~ x:z + (x:z | a), y ~ splines::ns(x, 3) + (1 | g),
  y ~ `odd name` + (`odd name` | g), y ~ (x + (1 | g)), log(y + 10) ~ x + (x | a), y ~ x + (1 | i),
  y ~ x + (z | g), y ~ x + (i | a), y ~ x + ((1 | g)), y ~ x + (1 | (g)), y ~ x + (1 | ab) +
    (1 | a), y ~ scale(x) + (scale(x) | g)
)

# lme4 looks for these grouping factors in a place where they are not.
lme4_cannot <- function(formula) grepl("factor\\(b\\)|interaction\\(", deparse1(formula))

lme4_design <- function(formula, data, ...) {
  # lme4 evaluates functions of the grouping factor in the global environment.
  suppressMessages(suppressWarnings(lme4::lFormula(
    formula, data, control = lme4::lmerControl(
      check.nobs.vs.nlev = "ignore", check.nobs.vs.nRE = "ignore", check.nobs.vs.rankZ = "ignore",
      check.rankX = "ignore"
    ), ...
  )))
}

expect_lme4_design <- function(ours, theirs, label) {
  random <- ours$random
  expect_identical(ours$fixed$columns, colnames(theirs$X), label = label)
  expect_equal(x_of(ours$rows), unname(theirs$X), ignore_attr = TRUE, label = label)
  expect_identical(ours$fixed$assign, attr(theirs$X, "assign"), label = label)
  expect_identical(
    stats::setNames(lapply(random, `[[`, "names"), vapply(random, `[[`, "", "group")),
    lapply(theirs$reTrms$cnms, identity), label = label
  )
  factors <- theirs$reTrms$flist
  groups <- unique(vapply(random, `[[`, "", "group"))
  expect_identical(groups, names(factors), label = label)
  for (term in random) {
    theirs_levels <- levels(factors[[term$group]])
    expect_identical(term$levels, theirs_levels, label = label)
    codes <- ours$rows$terms[[term$core]]$codes
    expect_identical(as.integer(codes), as.integer(factors[[term$group]]), label = label)
  }
  zt <- do.call(rbind, lapply(random, function(term) zt_of(ours, term)))
  expect_equal(zt, unname(as.matrix(theirs$reTrms$Zt)), ignore_attr = TRUE, label = label)
  expect_identical(length(ours$structure$term), length(theirs$reTrms$theta), label = label)
  diagonal <- ours$structure$row == ours$structure$column
  expect_identical(diagonal, unname(theirs$reTrms$lower == 0), label = label)
  # Every term's entries of theta, in its own coordinates.
  places <- do.call(rbind, lapply(seq_along(random), function(k) {
    term <- random[[k]]
    cbind(
      term = k, row = match(ours$structure$row[term$theta], term$positions),
      column = match(ours$structure$column[term$theta], term$positions)
    )
  }))
  expect_identical(places, theta_places(random), label = label)
  expect_equal(ours$rows$y, as.double(stats::model.response(theirs$fr)), label = label)
}

test_that("designs are those of lme4", {
  skip_if_not_installed("lme4")
  for (formula in Filter(Negate(lme4_cannot), formulas)) {
    label <- deparse1(formula)
    expect_lme4_design(mixed_design_of(formula, herd), lme4_design(formula, herd), label)
  }
})

test_that("expressions as grouping factors are those variables", {
  ours <- mixed_design_of(y ~ x + (1 | factor(b)), herd)
  by_variable <- mixed_design_of(y ~ x + (1 | b), herd)
  expect_identical(ours$rows$terms, by_variable$rows$terms)
  expect_identical(ours$random[[1]]$label, "factor(b)")
  crossed <- mixed_design_of(y ~ x + (1 | interaction(a, b)), herd)
  expect_identical(crossed$rows$terms, mixed_design_of(y ~ x + (1 | ab), herd)$rows$terms)
  combined <- mixed_design_of(y ~ x + (1 | a:factor(b)), herd)
  expect_identical(combined$rows$terms, mixed_design_of(y ~ x + (1 | a:b), herd)$rows$terms)
})

test_that("dots, contrasts, missing rows and subsets are those of lme4", {
  skip_if_not_installed("lme4")
  small <- herd[c("y", "x", "z", "f", "g")]
  dot <- y ~ . - g + (1 | g)
  expect_lme4_design(mixed_design_of(dot, small), lme4_design(dot, small), "dot")
  sums <- list(f = "contr.sum")
  expect_lme4_design(
    mixed_design_of(y ~ f + (1 | g), small, contrasts = sums),
    lme4_design(y ~ f + (1 | g), small, contrasts = sums), "contrasts"
  )
  holes <- herd
  holes$x[c(3, 50)] <- NA
  holes$g[7] <- NA
  holes$y[9] <- NaN
  formula <- y ~ x + f + (x | g)
  ours <- mixed_design_of(formula, holes)
  expect_lme4_design(ours, lme4_design(formula, holes), "missing")
  expect_identical(length(ours$rows$y), 236L)
  expect_lme4_design(
    mixed_design_of(formula, herd, subset = herd$z > 0.5),
    lme4_design(formula, herd[herd$z > 0.5, ]), "subset"
  )
  few <- herd[herd$g %in% c("g01", "g05", "g07"), ]
  expect_lme4_design(mixed_design_of(formula, few), lme4_design(formula, few), "levels")
})

test_that("a dot is expanded in the formula, and the bars stay as they were written", {
  small <- herd[c("y", "x", "z", "g")]
  formula <- mixed_design_of(y ~ . - g + (x || g), small)$formula
  expect_identical(deparse1(formula), "y ~ (x + z + g) - g + (x || g)")
})

test_that("every column of a split term has a variance of its own", {
  design <- mixed_design_of(y ~ f + (f || g), herd)
  expect_identical(
    lapply(design$random, `[[`, "names"), list("(Intercept)", "fmid", "fhigh")
  )
  expect_identical(vapply(design$random, `[[`, "", "structure"), rep("diag", 3))
  expect_identical(vapply(design$random, `[[`, "", "label"), c("g", "g.1", "g.2"))
  # One core term, a diagonal factor.
  expect_length(design$rows$terms, 1L)
  expect_identical(design$structure, list(
    term = rep(1L, 3), row = 1:3, column = 1:3, widths = 3L
  ))
  basis <- mixed_design_of(y ~ x + (poly(x, 2) || g), herd)
  expect_identical(
    vapply(basis$random, `[[`, "", "names"), c("(Intercept)", "poly(x, 2)1", "poly(x, 2)2")
  )
  nested <- mixed_design_of(y ~ f + (0 + f || a / b), herd)
  expect_identical(
    vapply(nested$random, `[[`, "", "group"), rep(c("b:a", "a"), each = 3)
  )
})

test_that("terms of one grouping share a block", {
  design <- mixed_design_of(y ~ x + (1 | a) + (x | g) + (0 + z | g), herd)
  expect_identical(design$structure$widths, c(3L, 1L))
  expect_identical(design$random[[1]]$group, "g")
  z <- design$random[[which(vapply(design$random, function(t) "z" %in% t$names, NA))]]
  x <- design$random[[which(vapply(design$random, function(t) "x" %in% t$names, NA))]]
  expect_identical(z$core, x$core)
  expect_identical(sort(c(z$positions, x$positions)), 1:3)
})

test_that("columns of Z are those of X where they are the same", {
  design <- mixed_design_of(y ~ z + x + (x | g), herd)
  expect_identical(design$rows$terms[[1]]$columns, list(NULL, 3L))
  coded <- mixed_design_of(y ~ f + (f | g), herd)
  expect_identical(coded$rows$terms[[1]]$columns, list(NULL, 2L, 3L))
  # The same names, but other numbers.
  sums <- mixed_design_of(y ~ o + (o | g), herd, contrasts = list(o = "contr.poly"))
  expect_identical(sums$rows$terms[[1]]$columns, list(NULL, 2L, 3L))
  absent <- mixed_design_of(y ~ z + (x | g), herd)
  expect_identical(absent$rows$terms[[1]]$columns, list(NULL, herd$x))
  treatment <- herd
  stats::contrasts(treatment$f) <- "contr.treatment"
  other <- mixed_design_of(y ~ f + (f | g), treatment, contrasts = list(f = "contr.SAS"))
  # fmid is the same column in both codings, fhigh is not in X.
  expect_identical(other$rows$terms[[1]]$columns[-3], list(NULL, 3L))
  expect_type(other$rows$terms[[1]]$columns[[3]], "double")
})

test_that("wide factors give a sparse X with the same columns", {
  set.seed(1)
  wide <- data.frame(
    y = rnorm(900), x = rnorm(900), f = factor(rep(1:150, 6)), g = gl(9, 100),
    o = factor(rep(1:3, 300), ordered = TRUE)
  )
  design <- mixed_design_of(y ~ x + f + (1 | g), wide)
  expect_false(is.matrix(design$rows$x))
  reference <- stats::model.matrix(~ x + f, wide)
  expect_equal(x_of(design$rows), reference, ignore_attr = TRUE)
  expect_identical(design$fixed$columns, colnames(reference))
  expect_identical(design$fixed$assign, attr(reference, "assign"))
  expect_identical(design$fixed$contrasts, list(f = "contr.treatment"))
  sums <- mixed_design_of(y ~ f + (x | g), wide, contrasts = list(f = "contr.SAS"))
  expect_false(is.matrix(sums$rows$x))
  expect_identical(sums$fixed$contrasts, list(f = "contr.SAS"))
  expect_identical(sums$rows$terms[[1]]$columns[[2]], wide$x)
  crossed <- mixed_design_of(y ~ f:x + (1 | g), wide)
  expect_equal(x_of(crossed$rows), stats::model.matrix(~ f:x, wide), ignore_attr = TRUE)
  expect_true(is.matrix(mixed_design_of(y ~ x + o + (1 | g), wide)$rows$x))
})

test_that("numbers that print alike are one group, and groups are sorted as numbers", {
  expect_identical(
    code_values(c(10, 9, 0.3, 0.1 + 0.2)),
    list(codes = c(3L, 2L, 1L, 1L), levels = c("0.3", "9", "10"))
  )
  values <- list(c("b", "a", "b"), c(TRUE, FALSE), as.Date("2024-03-01") + c(3, 1), c(2.5, -1, 2.5))
  for (v in values) {
    reference <- factor(v)
    expect_identical(
      code_values(v), list(codes = as.integer(reference), levels = levels(reference))
    )
  }
})

test_that("crossed groupings are ordered by the first, then the second", {
  first <- list(codes = c(2L, 1L, 2L, 1L), levels = c("z", "a"))
  second <- list(codes = c(1L, 2L, 1L, 1L), levels = c("q", "b"))
  expect_identical(
    cross_groups(first, second), list(codes = c(3L, 2L, 3L, 1L), levels = c("z:q", "z:b", "a:q"))
  )
})

test_that("columns of the data are shared, not copied", {
  # y, the codes of a factor apart from its attributes, and a column of Z that is not in X.
  d <- data.frame(y = rnorm(50), x = rnorm(50), g = gl(5, 10))
  design <- mixed_design_of(y ~ 1 + (x | g), d)
  address <- function(x) sub("^<?(0x)?([0-9a-f]+)>?.*", "\\2", rlang::obj_address(x))
  expect_identical(address(design$rows$y), address(d$y))
  expect_identical(address(design$rows$terms[[1]]$columns[[2]]), address(d$x))
})
