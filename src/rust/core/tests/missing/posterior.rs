use ember_core::mixture::data::Data;
use ember_core::mixture::missing::{
    impute, log_density_missing, responsibilities_missing, Patterns,
};
use ember_core::mixture::model::{CovarianceModel, Noise};
use nalgebra::{DMatrix, DVector};

use super::{close, iris_mixture, iris_with_holes, ranges, terms};

#[test]
fn posteriors_and_densities_are_those_of_the_marginals() {
    let x = iris_with_holes(0.25, 12);
    let data = Data::new(&x, 150, 4, None).unwrap();
    let ranges = ranges(&data);
    let noise = Noise {
        weight: 0.1,
        log_density: -ranges.iter().product::<f64>().ln(),
    };
    for model in [CovarianceModel::VVV, CovarianceModel::EEI] {
        let mixture = iris_mixture(model, Some(noise));
        let patterns = Patterns::new(&data);
        let mut posterior = vec![f64::NAN; 600];
        let mut densities = vec![f64::NAN; 150];
        responsibilities_missing(&data, &patterns, &mixture, 2, &mut posterior).unwrap();
        log_density_missing(&data, &patterns, &mixture, 2, &mut densities).unwrap();
        for i in 0..150 {
            let terms = terms(&data, i, &mixture, &ranges);
            let density: f64 = terms.iter().sum();
            assert!(close(densities[i], density.ln(), 1e-12));
            for (k, term) in terms.iter().enumerate() {
                assert!(close(posterior[150 * k + i], term / density, 1e-12));
            }
        }
    }
}

#[test]
fn an_empty_row_has_the_prior() {
    let x = [5.0, f64::NAN, 3.0, f64::NAN, 1.0, f64::NAN, 0.3, f64::NAN];
    let data = Data::new(&x, 2, 4, None).unwrap();
    let mixture = iris_mixture(CovarianceModel::VVV, None);
    let patterns = Patterns::new(&data);
    let mut posterior = vec![f64::NAN; 6];
    let mut densities = vec![f64::NAN; 2];
    responsibilities_missing(&data, &patterns, &mixture, 1, &mut posterior).unwrap();
    log_density_missing(&data, &patterns, &mixture, 1, &mut densities).unwrap();
    assert_eq!([posterior[1], posterior[3], posterior[5]], [0.3, 0.3, 0.4]);
    assert_eq!(densities[1], 0.0);
    let cells = impute(&data, &patterns, &mixture, 1).unwrap();
    assert_eq!(cells[0], 5.0);
    assert!(close(cells[1], 0.3 * 5.0 + 0.3 * 5.9 + 0.4 * 6.6, 1e-14));
}

/// E[x_M | x_O] by the textbook formula, μ_M + Σ_MO Σ_OO⁻¹ (x_O − μ_O), mixed by the responsibilities.
#[test]
fn imputed_cells_are_posterior_means() {
    let x = iris_with_holes(0.25, 13);
    let data = Data::new(&x, 150, 4, None).unwrap();
    let (lower, upper) = (vec![4.0, 2.0, 1.0, 0.0], vec![8.0, 5.0, 7.0, 3.0]);
    let extents: Vec<f64> = upper.iter().zip(&lower).map(|(u, l)| u - l).collect();
    let noise = Noise {
        weight: 0.1,
        log_density: -extents.iter().product::<f64>().ln(),
    };
    let patterns = Patterns::new(&data).with_noise_region(lower.clone(), upper.clone());
    for model in [CovarianceModel::VVV, CovarianceModel::VVI] {
        let mixture = iris_mixture(model, Some(noise));
        let cells = impute(&data, &patterns, &mixture, 1).unwrap();
        for i in 0..150 {
            let (missing, observed): (Vec<usize>, Vec<usize>) =
                (0..4).partition(|&j| x[150 * j + i].is_nan());
            let terms = terms(&data, i, &mixture, &extents);
            let density: f64 = terms.iter().sum();
            for &m in &missing {
                let mut mean = terms[3] / density * (lower[m] + upper[m]) / 2.0;
                for (k, term) in terms[..3].iter().enumerate() {
                    let sigma = &mixture.covariances[k];
                    let block = DMatrix::from_fn(observed.len(), observed.len(), |a, b| {
                        sigma[(observed[a], observed[b])]
                    });
                    let across = DVector::from_fn(observed.len(), |a, _| sigma[(m, observed[a])]);
                    let offset = DVector::from_fn(observed.len(), |a, _| {
                        x[150 * observed[a] + i] - mixture.means[(observed[a], k)]
                    });
                    let conditional = mixture.means[(m, k)]
                        + if observed.is_empty() {
                            0.0
                        } else {
                            across.dot(&(block.try_inverse().unwrap() * offset))
                        };
                    mean += term / density * conditional;
                }
                assert!(close(cells[150 * m + i], mean, 1e-12));
            }
            for &o in &observed {
                assert_eq!(cells[150 * o + i], x[150 * o + i]);
            }
        }
    }
}
