//! Every kernel against the formulas, row by row.

use nalgebra::DMatrix;
use rand::RngExt;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::super::model::{CovarianceModel, Noise};
use super::super::moments::moments;
use super::super::stats::{Moments, Scatter};
use super::*;

/// Rows from a random mixture of `model`, and parameters near it.
struct Example {
    x: Vec<f64>,
    weights: Vec<f64>,
    rows: usize,
    mixture: Mixture,
}

impl Example {
    fn new(rows: usize, d: usize, k: usize, model: CovarianceModel, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = move || -> f64 { rng.sample(StandardNormal) };
        let means = DMatrix::from_fn(d, k, |_, _| 2.0 * normal());
        let mut covariance = |_| {
            let root = DMatrix::from_fn(d, d, |i, j| match i.cmp(&j) {
                std::cmp::Ordering::Equal => 0.7 + 0.3 * normal().abs(),
                std::cmp::Ordering::Greater if !model.is_diagonal() => 0.4 * normal(),
                _ => 0.0,
            });
            &root * root.transpose()
        };
        let mut covariances: Vec<_> = (0..k).map(&mut covariance).collect();
        if model.is_pooled() {
            covariances = vec![covariances[0].clone(); k];
        }
        let mut x = vec![0.0; rows * d];
        for i in 0..rows {
            for j in 0..d {
                x[j * rows + i] = means[(j, i % k)] + normal();
            }
        }
        let unscaled: Vec<f64> = (0..k).map(|i| 1.0 + i as f64).collect();
        let total: f64 = unscaled.iter().sum();
        Example {
            x,
            weights: (0..rows).map(|i| (i % 5) as f64 * 0.5).collect(),
            rows,
            mixture: Mixture {
                model,
                weights: unscaled.iter().map(|w| w / total).collect(),
                means,
                covariances,
                noise: None,
            },
        }
    }

    fn with_noise(mut self) -> Self {
        for weight in &mut self.mixture.weights {
            *weight *= 0.9;
        }
        self.mixture.noise = Some(Noise {
            weight: 0.1,
            log_density: -3.0 * self.mixture.dim() as f64,
        });
        self
    }

    fn data(&self) -> Data<'_> {
        Data::new(&self.x, self.rows, self.mixture.dim(), None).unwrap()
    }

    fn weighted(&self) -> Data<'_> {
        let d = self.mixture.dim();
        Data::new(&self.x, self.rows, d, Some(&self.weights)).unwrap()
    }
}

fn close(got: &[f64], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let size = want.iter().fold(1e-300, |size: f64, w| size.max(w.abs()));
    for (got, want) in got.iter().zip(want) {
        let error = (got - want).abs() / size;
        assert!(error <= tolerance, "{what}: {got} is not {want}, {error:e}");
    }
}

fn same(got: &MixtureStats, want: &MixtureStats, tolerance: f64, what: &str) {
    assert_eq!(got.rows, want.rows, "{what}");
    close(&[got.total_weight], &[want.total_weight], tolerance, what);
    close(&got.counts, &want.counts, tolerance, what);
    // Near a fixed point the sums cancel, so they are compared on the scale of the counts.
    let on_scale = |s: &MixtureStats| [s.sums.as_slice(), &s.counts].concat();
    close(&on_scale(got), &on_scale(want), tolerance, what);
    if got.crosses.nrows() > 0 {
        close(
            got.crosses.as_slice(),
            want.crosses.as_slice(),
            tolerance,
            what,
        );
    }
    close(&[got.noise_count], &[want.noise_count], tolerance, what);
    close(&[got.log_lik], &[want.log_lik], tolerance, what);
}

fn same_moments(got: &Moments, want: &Moments, tolerance: f64, what: &str) {
    close(&got.counts, &want.counts, tolerance, what);
    close(got.means.as_slice(), want.means.as_slice(), tolerance, what);
    let (got, want) = (got.scatter.pooled(), want.scatter.pooled());
    close(got.as_slice(), want.as_slice(), tolerance, what);
}

const MODELS: [CovarianceModel; 4] = [
    CovarianceModel::VVV,
    CovarianceModel::VVI,
    CovarianceModel::EEE,
    CovarianceModel::EEI,
];

/// Every family, dimension, weighting and instruction set.
#[test]
fn statistics_are_those_of_the_formulas() {
    for d in 1..=12 {
        for (k, rows) in [(1, 37), (2, 70), (3, 257), (5, 300)] {
            for mut model in MODELS {
                if d == 1 {
                    model = match model.is_pooled() {
                        true => CovarianceModel::E,
                        false => CovarianceModel::V,
                    };
                }
                let plain = Example::new(rows, d, k, model, (d * 10 + k) as u64);
                let noisy = Example::new(rows, d, k, model, (d * 10 + k) as u64).with_noise();
                for data in [plain.data(), plain.weighted()] {
                    for mixture in [&plain.mixture, &noisy.mixture] {
                        let want = reference::expect(&data, mixture);
                        for isa in Isa::available() {
                            let what = format!("{model:?} d={d} k={k} {isa:?}");
                            let got = expect_on(isa, &data, mixture, None, 1).unwrap();
                            assert_eq!(got.crosses.shape(), want.crosses.shape(), "{what}");
                            same(&got, &want, 1e-12, &what);
                        }
                    }
                }
            }
        }
    }
}

/// Pooled models from first moments and the total scatter: the M-step sees the same.
#[test]
fn first_moments_give_the_pooled_scatter() {
    use CovarianceModel::{E, EEE, EEI, EII};
    for (model, d) in [(E, 1), (EII, 3), (EEI, 5), (EEE, 2), (EEE, 7), (EEE, 12)] {
        for (k, rows) in [(1, 100), (2, 1003), (4, 700)] {
            let mut example = Example::new(rows, d, k, model, 3);
            if model == EII {
                example.mixture.covariances = vec![DMatrix::identity(d, d) * 0.8; k];
            }
            for data in [example.data(), example.weighted()] {
                let total = TotalScatter::of(&data);
                let want = reference::expect(&data, &example.mixture);
                let want_moments = moments(&want, &example.mixture, None).unwrap();
                for isa in Isa::available() {
                    let what = format!("{model:?} d={d} k={k} {isa:?}");
                    let got = expect_on(isa, &data, &example.mixture, Some(&total), 1).unwrap();
                    assert_eq!(got.crosses.nrows(), 0, "{what}");
                    same(&got, &want, 1e-12, &what);
                    let mut got = moments(&got, &example.mixture, Some(&total)).unwrap();
                    if model.is_diagonal() {
                        let scatter = got.scatter.pooled().diagonal();
                        got.scatter = Scatter::Pooled(DMatrix::from_diagonal(&scatter));
                    }
                    same_moments(&got, &want_moments, 1e-11, &what);
                }
            }
        }
    }
}

/// One component much tighter than the whole: W = T − B would cancel, so second moments are taken.
#[test]
fn tight_components_fall_back_to_second_moments() {
    for (model, d) in [(CovarianceModel::EEE, 3), (CovarianceModel::E, 1)] {
        let mut example = Example::new(400, d, 2, model, 5);
        for (i, x) in example.x.iter_mut().enumerate() {
            *x = *x * 1e-4 + if i % 2 == 0 { 0.0 } else { 1e3 };
        }
        for j in 0..d {
            example.mixture.means[(j, 0)] = 0.0;
            example.mixture.means[(j, 1)] = 1e3;
        }
        let x = example.x.clone();
        let data = Data::new(&x, 400, d, None).unwrap();
        let total = TotalScatter::of(&data);
        let wide = expect(&data, &example.mixture, Some(&total), 1).unwrap();
        assert_eq!(wide.crosses.nrows(), 0);
        let error = moments(&wide, &example.mixture, Some(&total)).unwrap_err();
        assert_eq!(error.kind(), "numerical");

        for covariance in &mut example.mixture.covariances {
            *covariance *= 1e-8;
        }
        let tight = expect(&data, &example.mixture, Some(&total), 1).unwrap();
        assert_eq!(tight.crosses.nrows(), d * (d + 1) / 2);
        same(
            &tight,
            &reference::expect(&data, &example.mixture),
            1e-12,
            "tight",
        );
    }
}

#[test]
fn threads_do_not_change_bits() {
    for (model, d) in [
        (CovarianceModel::VVV, 3),
        (CovarianceModel::VVV, 6),
        (CovarianceModel::VVI, 4),
        (CovarianceModel::EEE, 5),
        (CovarianceModel::E, 1),
    ] {
        let example = Example::new(20_011, d, 2, model, 11);
        for data in [example.data(), example.weighted()] {
            let total = TotalScatter::of(&data);
            let one = expect(&data, &example.mixture, Some(&total), 1).unwrap();
            for threads in [2, 3, 8] {
                let many = expect(&data, &example.mixture, Some(&total), threads).unwrap();
                assert_eq!(one, many, "{model:?} {threads}");
            }
        }
    }
}

#[test]
fn chunks_merge_to_the_whole() {
    for (model, d) in [
        (CovarianceModel::VVV, 2),
        (CovarianceModel::VVV, 9),
        (CovarianceModel::VVI, 3),
        (CovarianceModel::EEE, 4),
        (CovarianceModel::E, 1),
    ] {
        let example = Example::new(2_003, d, 2, model, 13);
        let whole = example.weighted();
        let total = TotalScatter::of(&whole);
        let want = expect(&whole, &example.mixture, Some(&total), 1).unwrap();
        let mut merged: Option<MixtureStats> = None;
        for rows in [0..1, 1..700, 700..1_503, 1_503..2_003] {
            let x: Vec<f64> = (0..d)
                .flat_map(|j| whole.column(j)[rows.clone()].to_vec())
                .collect();
            let weights = &example.weights[rows.clone()];
            // The first chunk is one row of weight zero: a chunk may be worth nothing.
            let Ok(chunk) = Data::new(&x, rows.len(), d, Some(weights)) else {
                assert_eq!(rows, 0..1);
                continue;
            };
            let next = expect(&chunk, &example.mixture, Some(&total), 1).unwrap();
            match &mut merged {
                None => merged = Some(next),
                Some(sum) => sum.merge(next),
            }
        }
        let mut merged = merged.unwrap();
        merged.rows += 1;
        same(&merged, &want, 1e-12, &format!("{model:?}"));
    }
}

/// Integer weights are repeated rows.
#[test]
fn weights_are_repetitions() {
    let example = Example::new(200, 3, 3, CovarianceModel::VVV, 17);
    let weights: Vec<f64> = (0..200).map(|i| f64::from(i % 3)).collect();
    let weighted = Data::new(&example.x, 200, 3, Some(&weights)).unwrap();
    let picked: Vec<usize> = (0..200).flat_map(|i| vec![i; i % 3]).collect();
    let x: Vec<f64> = (0..3)
        .flat_map(|j| picked.iter().map(move |i| weighted.column(j)[*i]))
        .collect();
    let repeated = Data::new(&x, picked.len(), 3, None).unwrap();
    let mut got = expect(&weighted, &example.mixture, None, 1).unwrap();
    got.rows = picked.len() as u64;
    let want = expect(&repeated, &example.mixture, None, 1).unwrap();
    same(&got, &want, 1e-12, "weights");
}

/// Shifting by 1e7 and scaling by 1e±6 leave the whitened statistics alone, but for the Jacobian term.
#[test]
fn location_and_scale_cost_no_digits() {
    use CovarianceModel::{E, EEE, VVI, VVV};
    for (model, d) in [(VVV, 2), (VVV, 3), (VVV, 6), (VVI, 5), (EEE, 4), (E, 1)] {
        for (shift, power) in [(1e7, 0.0), (0.0, 6.0), (0.0, -6.0)] {
            let mut example = Example::new(500, d, 2, model, 19);
            // Dyadic rows and means: the shift itself is exact.
            let round = |x: f64| (x * 1024.0).round() / 1024.0;
            example.x.iter_mut().for_each(|x| *x = round(*x));
            example.mixture.means.apply(|m| *m = round(*m));
            let near = {
                let data = example.data();
                let total = TotalScatter::of(&data);
                expect(&data, &example.mixture, Some(&total), 1).unwrap()
            };
            let scale = |j: usize| 10f64.powf(if j.is_multiple_of(2) { power } else { -power });
            for j in 0..d {
                for x in &mut example.x[j * 500..(j + 1) * 500] {
                    *x = *x * scale(j) + shift;
                }
                for k in 0..2 {
                    let mean = &mut example.mixture.means[(j, k)];
                    *mean = *mean * scale(j) + shift;
                }
            }
            for covariance in &mut example.mixture.covariances {
                *covariance =
                    DMatrix::from_fn(d, d, |i, j| covariance[(i, j)] * scale(i) * scale(j));
            }
            let data = example.data();
            let total = TotalScatter::of(&data);
            let mut far = expect(&data, &example.mixture, Some(&total), 1).unwrap();
            far.log_lik += 500.0 * (0..d).map(|j| scale(j).ln()).sum::<f64>();
            same(&far, &near, 1e-11, &format!("{model:?} {shift} {power}"));
            assert_eq!(far.crosses.shape(), near.crosses.shape());
        }
    }
}

/// Rows where every density underflows still belong to the nearest component.
#[test]
fn distant_rows_have_a_posterior() {
    for (model, d) in [
        (CovarianceModel::VVV, 3),
        (CovarianceModel::VVV, 5),
        (CovarianceModel::VVI, 2),
        (CovarianceModel::E, 1),
    ] {
        let mut example = Example::new(70, d, 2, model, 23);
        example.x[3] = 1e5;
        example.x[69] = -1e5;
        let data = example.data();
        let total = TotalScatter::of(&data);
        let want = reference::expect(&data, &example.mixture);
        for total in [None, Some(&total)] {
            let got = expect(&data, &example.mixture, total, 1).unwrap();
            same(&got, &want, 1e-11, &format!("{model:?}"));
        }
        example.x[3] = 1e200;
        let error = expect(&example.data(), &example.mixture, None, 1).unwrap_err();
        assert_eq!(error.kind(), "numerical");
    }
}

#[test]
fn posteriors_and_densities_are_those_of_the_formulas() {
    for (rows, threads) in [(5, 1), (1_000, 2), (33_000, 2)] {
        let example = Example::new(rows, 3, 3, CovarianceModel::VVV, 29).with_noise();
        // Row weights must not matter.
        let data = example.weighted();
        let mut posterior = vec![0.0; rows * 4];
        responsibilities(&data, &example.mixture, threads, &mut posterior).unwrap();
        let mut density = vec![0.0; rows];
        log_density(&data, &example.mixture, threads, &mut density).unwrap();
        for i in (0..rows).step_by(1 + rows / 200) {
            let (log_density, want) = reference::posterior(&data, &example.mixture, i);
            let got: Vec<f64> = (0..4).map(|k| posterior[k * rows + i]).collect();
            close(&got, &want, 1e-12, "posterior");
            close(&[density[i]], &[log_density], 1e-12, "log density");
        }
        assert!(responsibilities(&data, &example.mixture, 1, &mut density).is_err());
    }
}

/// The statistics of given responsibilities and those of the E-step agree where the responsibilities do.
#[test]
fn moments_agree_with_those_of_the_responsibilities() {
    use super::super::moments::moments_from_responsibilities;
    for (model, d) in [(CovarianceModel::VVV, 3), (CovarianceModel::VVV, 5)] {
        let example = Example::new(400, d, 3, model, 31).with_noise();
        for data in [example.data(), example.weighted()] {
            let stats = expect(&data, &example.mixture, None, 1).unwrap();
            let got = moments(&stats, &example.mixture, None).unwrap();
            let mut posterior = vec![0.0; 400 * 4];
            responsibilities(&data, &example.mixture, 1, &mut posterior).unwrap();
            let want = moments_from_responsibilities(&data, &posterior, 3, true);
            same_moments(&got, &want, 1e-11, "moments");
            close(&[got.noise_count], &[want.noise_count], 1e-12, "noise");
            let (Scatter::PerComponent(got), Scatter::PerComponent(want)) =
                (&got.scatter, &want.scatter)
            else {
                panic!("both are per component");
            };
            for (got, want) in got.iter().zip(want) {
                close(got.as_slice(), want.as_slice(), 1e-11, "scatter");
            }
        }
    }
}

#[test]
fn malformed_calls_are_refused() {
    let mut example = Example::new(50, 2, 2, CovarianceModel::VVV, 37);
    let narrow = Data::new(&example.x[..50], 50, 1, None).unwrap();
    let error = expect(&narrow, &example.mixture, None, 1).unwrap_err();
    assert_eq!(error.kind(), "argument");
    example.mixture.covariances[1][(1, 1)] = -1.0;
    let error = expect(&example.data(), &example.mixture, None, 1).unwrap_err();
    assert_eq!(error, Error::NotPositiveDefinite { pivot: 1 });
}
