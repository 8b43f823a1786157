//! The core's values as R's.

use ember_core::mixture::model::Mixture;
use ember_core::nalgebra::DMatrix;
use extendr_api::prelude::*;

/// A mixture in R's shapes.
pub fn mixture_pairs(mixture: &Mixture) -> Vec<(&'static str, Robj)> {
    let (k, d) = (mixture.components(), mixture.dim());
    let mut covariances = RMatrix3D::<f64>::new_array([d, d, k]);
    let cells = mixture.covariances.iter().flat_map(|sigma| sigma.iter());
    for (to, from) in covariances.data_mut().iter_mut().zip(cells) {
        *to = *from;
    }
    let noise = mixture
        .noise
        .map(|noise| list!(weight = noise.weight, log_density = noise.log_density));
    vec![
        ("model", mixture.model.name().into()),
        ("weights", (&mixture.weights).into()),
        ("means", matrix(&mixture.means.transpose()).into()),
        ("covariances", covariances.into()),
        ("noise", or_null(noise)),
    ]
}

/// The list, or NULL.
pub fn or_null(list: Option<List>) -> Robj {
    list.map_or_else(|| ().into(), Robj::from)
}

/// A matrix in R's memory.
pub fn matrix(values: &DMatrix<f64>) -> RMatrix<f64> {
    let mut to = RMatrix::<f64>::new(values.nrows(), values.ncols());
    to.data_mut().copy_from_slice(values.as_slice());
    to
}
