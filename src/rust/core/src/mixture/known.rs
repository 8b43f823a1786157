//! Stand-in until the M-step's `Known` lands.
use nalgebra::DMatrix;
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    pub weights: Option<Vec<f64>>,
    pub means: Option<DMatrix<f64>>,
    pub covariances: Option<Vec<DMatrix<f64>>>,
}
