"""sklearn's EM on the cases that bench/mixtures.R writes; answers a small table on standard output.

sklearn_mixtures.py version
sklearn_mixtures.py time FILE SHORT LONG REPEATS   CPU seconds per iteration, log-likelihood after SHORT
sklearn_mixtures.py converge FILE                  CPU seconds, iterations, log-likelihood at the default tolerance
sklearn_mixtures.py peak FILE fit|none             peak resident memory in kB
"""

import os
import sys
import time
import warnings

# Before numpy starts its BLAS: one thread, and the fastest kernels that the BLAS knows for this machine.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
os.environ.pop("OPENBLAS_CORETYPE", None)

import numpy as np
import sklearn
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

warnings.filterwarnings("ignore", category=sklearn.exceptions.ConvergenceWarning)


def read_case(file):
    """Rows and starting parameters, in the order that write_case() in bench/lib/cases.R has."""
    with open(file, "rb") as stream:
        n, d, k = np.fromfile(stream, count=3).astype(int)
        weights = np.fromfile(stream, count=k)
        means = np.fromfile(stream, count=k * d).reshape(k, d)
        covariances = np.fromfile(stream, count=k * d * d).reshape(k, d, d)
        x = np.fromfile(stream, count=n * d).reshape(n, d)
    return x, weights, means, covariances


def mixture(x, weights, means, covariances, **settings):
    precisions = np.linalg.inv(covariances)
    tied = x.shape[1] == 1
    return GaussianMixture(
        n_components=len(weights),
        covariance_type="tied" if tied else "full",
        weights_init=weights,
        means_init=means,
        precisions_init=precisions[0] if tied else precisions,
        reg_covar=0,
        **settings,
    )


def cpu_seconds(run):
    before = time.process_time()
    run()
    return time.process_time() - before


def iterate(case, iterations):
    model = mixture(*case, tol=0, max_iter=iterations)
    return cpu_seconds(lambda: model.fit(case[0])), model


def time_iterations(case, short, long, repeats):
    slopes = []
    for _ in range(repeats):
        quick, model = iterate(case, short)
        slow, _ = iterate(case, long)
        slopes.append((slow - quick) / (long - short))
    log_lik = model.score(case[0]) * len(case[0])
    print("cpu log_lik")
    print(f"{np.median(slopes):.9g} {log_lik:.17g}")


def converge(case):
    model = mixture(*case, max_iter=1000)
    cpu = cpu_seconds(lambda: model.fit(case[0]))
    print("cpu iterations log_lik")
    print(f"{cpu:.6g} {model.n_iter_} {model.score(case[0]) * len(case[0]):.17g}")


def peak_kilobytes(case, what):
    if what == "fit":
        iterate(case, 10)
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    print("kilobytes")
    print(line.split()[1])


def main(task, *arguments):
    if task == "version":
        print(sklearn.__version__)
        return
    case = read_case(arguments[0])
    if task == "time":
        time_iterations(case, *map(int, arguments[1:]))
    elif task == "converge":
        converge(case)
    elif task == "peak":
        peak_kilobytes(case, arguments[1])
    else:
        sys.exit(__doc__)


with threadpool_limits(limits=1):
    main(*sys.argv[1:])
