#' Tolerances and limits of sample selection models
#'
#' What [em_control()] sets, and what only [mssm()] needs: how probabilities of more than three
#' selections are computed, how the Monte Carlo algorithm draws, and when it stops. The defaults
#' suit almost every model.
#'
#' @details
#' With up to three equations the log-likelihood is exact and `points` is not used. With more, the
#' probability of each row is a randomised quasi-Monte Carlo integral with `points` points; the
#' points are the same at every step, so that the criterion is a smooth function, and `set.seed()`
#' decides them.
#'
#' `draws`, `sampler` and `mc_tol` are for `method = "px-mcem"`. The number of draws grows during
#' the fit as the ascent rule of Caffo, Jank and Jones (2005) asks for. The fit ends where the
#' Newton step that is left, and its own Monte Carlo error, are both below `mc_tol` standard errors
#' for every parameter.
#'
#' @inheritParams em_control
#' @param points Points of the integration for four and more equations; 8 to 65536.
#' @param draws Draws per row in the first iterations of `method = "px-mcem"`; at least 2.
#' @param sampler `"collapsed"` draws the latent selections alone and adds the missing outcomes in
#'   closed form; `"full"` draws both, as in Li (2014). The first needs fewer draws.
#' @param mc_tol Largest acceptable Monte Carlo error of an estimate by `method = "px-mcem"`, in
#'   standard errors; positive, at most 1.
#' @param search Look for several modes of the likelihood? `FALSE` climbs from one start.
#'
#' @returns A list of class `mssm_control` and `ember_control`.
#' @references
#' Caffo, B. S., Jank, W. and Jones, G. L. (2005). Ascent-based Monte Carlo
#' expectation-maximization. *Journal of the Royal Statistical Society B* 67, 235-251.
#'
#' Li, P. (2014). Estimation of multivariate sample selection models via a parameter-expanded Monte
#' Carlo EM algorithm. *Theoretical Economics Letters* 4, 851-856.
#' @seealso [mssm()]
#' @export
#' @examples
#' mssm_control()
#' mssm_control(threads = 2, mc_tol = 0.05)
mssm_control <- function(tol = 1e-8, max_iter = 1000L, points = 128L, draws = 10L,
                         sampler = c("collapsed", "full"), mc_tol = 0.02, search = TRUE,
                         threads = 1L, progress = FALSE) {
  call <- rlang::current_env()
  sampler <- match_choice("sampler", call)
  if (!is_flag(search)) abort_argument("search", "must be TRUE or FALSE.", call = call)
  if (!is_number(mc_tol) || mc_tol <= 0 || mc_tol > 1) {
    abort_argument("mc_tol", "must be a number above 0 and at most 1.", call = call)
  }
  points <- check_count(points, "points", 65536L, call)
  if (points < 8) abort_argument("points", "must be at least 8.", call = call)
  draws <- check_count(draws, "draws", 1e6, call)
  if (draws < 2) abort_argument("draws", "must be at least 2.", call = call)
  common <- rlang::try_fetch(
    em_control(tol = tol, max_iter = max_iter, threads = threads, progress = progress),
    ember_error_argument = function(cnd) {
      cnd$call <- rlang::frame_call(call)
      rlang::cnd_signal(cnd)
    }
  )
  own <- list(
    points = points, draws = draws, sampler = sampler, mc_tol = as.double(mc_tol), search = search
  )
  structure(c(unclass(common), own), class = c("mssm_control", "ember_control"))
}

# What mssm() takes as `control`: its own, or em_control(), whose fields replace the defaults.
as_mssm_control <- function(control, call) {
  if (inherits(control, "mssm_control")) {
    return(control)
  }
  if (!inherits(control, "ember_control")) {
    abort_argument("control", "must be made by `mssm_control()` or `em_control()`.", NULL, call)
  }
  complete <- mssm_control()
  complete[names(control)] <- unclass(control)
  complete
}

#' @export
print.mssm_control <- function(x, ...) {
  cat("Control of a sample selection model\n")
  cat("  tol:      ", format(x$tol), " (estimated distance to the maximum)\n", sep = "")
  cat("  max_iter: ", x$max_iter, "\n", sep = "")
  cat("  search:   ", if (x$search) "for all modes" else "from one start", "\n", sep = "")
  cat("  points:   ", x$points, " (four and more equations)\n", sep = "")
  cat("  px-mcem:  ", x$draws, " draws at first, ", x$sampler, " sampler, Monte Carlo error below ",
    format(x$mc_tol), " SE\n", sep = "")
  cat("  threads:  ", x$threads, "\n", sep = "")
  cat("  progress: ", if (x$progress) "shown" else "not shown", "\n", sep = "")
  invisible(x)
}
