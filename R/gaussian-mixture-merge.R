#' Merge components into clusters
#'
#' Several Gaussian components may describe one cluster that is not Gaussian. This merges components
#' step by step, each time the two that lower the entropy of the classification most (Baudry et al.
#' 2010). The density of the mixture stays as it is.
#'
#' @param object A fit of [gaussian_mixture()], with at least two components.
#' @param ... Not used.
#' @returns An object of class `ember_merge`: a list with `steps` (data frame: `clusters`, `entropy`
#'   of the classification, `merged`: the two clusters joined in the step, written with their
#'   components), `groups` (k x k integer matrix: row `c`, column `g` is the cluster of component
#'   `c` when there are `g` clusters) and `fit`. `predict(object, newdata, clusters, type)` gives
#'   classes or posterior probabilities of the clusters; `plot()` draws entropy against the number
#'   of clusters: an elbow is where merging stops paying.
#' @references Baudry, J.-P., Raftery, A. E., Celeux, G., Lo, K. and Gottardo, R. (2010). Combining
#'   mixture components for clustering. *Journal of Computational and Graphical Statistics* 19,
#'   332-353.
#' @examples
#' fit <- gaussian_mixture(faithful, k = 3, model = "EEE")
#' merged <- merge_components(fit)
#' merged
#' table(predict(merged, clusters = 2))
#' @export
merge_components <- function(object, ...) {
  UseMethod("merge_components")
}

#' @export
merge_components.ember_mixture <- function(object, ...) {
  call <- rlang::current_env()
  if (object$k < 2L) {
    ember_abort(
      "A mixture of one component has nothing to merge.", class = "unsupported", call = call
    )
  }
  native <- native_mixture_merge(data_of(object, call), object$row_weights, object, call = call)
  k <- object$k
  groups <- matrix(
    as.integer(native$groups), k,
    dimnames = list(component = seq_len(k), clusters = seq_len(k))
  )
  members <- function(cluster, clusters) {
    paste0("{", paste(which(groups[, clusters] == cluster), collapse = ","), "}")
  }
  merged <- vapply(seq_along(native$first), function(step) {
    before <- k - step + 1L
    paste(members(native$first[[step]], before), "+", members(native$second[[step]], before))
  }, "")
  structure(
    list(
      steps = data.frame(clusters = k:1, entropy = native$entropy, merged = c("", merged)),
      groups = groups, fit = object
    ),
    class = "ember_merge"
  )
}

#' @export
print.ember_merge <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  cat("Components merged by entropy (Baudry et al. 2010)\n\n")
  steps <- x$steps
  steps$entropy <- format(steps$entropy, digits = digits)
  names(steps) <- c("Clusters", "Entropy", "Merged")
  print(steps, row.names = FALSE, right = FALSE)
  invisible(x)
}

#' @export
predict.ember_merge <- function(object, newdata = NULL, clusters = object$fit$k,
                                type = c("class", "posterior"), ...) {
  call <- rlang::current_env()
  type <- match_choice("type", call)
  k <- object$fit$k
  if (!is.numeric(clusters) || length(clusters) != 1L || !clusters %in% seq_len(k)) {
    abort_argument(
      "clusters", paste0("must be a number of clusters from 1 to ", k, "."), NULL, call
    )
  }
  posterior <- stats::predict(object$fit, newdata, type = "posterior")
  group <- object$groups[, clusters]
  merged <- t(rowsum(t(posterior[, seq_len(k), drop = FALSE]), group))
  if (ncol(posterior) > k) merged <- cbind(merged, noise = posterior[, k + 1L])
  if (type == "posterior") {
    return(merged)
  }
  class <- max.col(merged, ties.method = "first")
  class[class > clusters] <- 0L
  stats::setNames(class, rownames(posterior))
}

#' @export
plot.ember_merge <- function(x, xlab = "Number of clusters", ylab = "Entropy", ...) {
  steps <- x$steps
  graphics::plot(steps$clusters, steps$entropy,
    type = "b", pch = 16, xlab = xlab, ylab = ylab, xaxt = "n", las = 1, col = component_colours(
      1L
    ),
    xlim = c(0.7, max(steps$clusters) + 0.3), ylim = c(0, 1.1 * max(steps$entropy, 1e-12)), ...
  )
  graphics::axis(1, steps$clusters)
  joined <- steps[-1L, ]
  graphics::text(
    joined$clusters, joined$entropy, joined$merged, pos = 3, cex = 0.75, col = "grey30"
  )
  invisible(x)
}
