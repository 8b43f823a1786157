//! Parameters of a Gaussian mixture and its sixteen covariance models (fourteen in d > 1, two in d = 1).

use nalgebra::DMatrix;

/// mclust's names: volume, shape, orientation, each equal (E), variable (V) or identity (I).
///
/// Σ_k = λ_k D_k A_k D_kᵀ (Banfield & Raftery 1993; Celeux & Govaert 1995).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CovarianceModel {
    E,
    V,
    EII,
    VII,
    EEI,
    VEI,
    EVI,
    VVI,
    EEE,
    VEE,
    EVE,
    VVE,
    EEV,
    VEV,
    EVV,
    VVV,
}

impl CovarianceModel {
    /// The models for more than one dimension, simplest first, in mclust's order.
    pub const MULTIVARIATE: [CovarianceModel; 14] = {
        use CovarianceModel::*;
        [
            EII, VII, EEI, VEI, EVI, VVI, EEE, VEE, EVE, VVE, EEV, VEV, EVV, VVV,
        ]
    };
    /// The models for one dimension.
    pub const UNIVARIATE: [CovarianceModel; 2] = [CovarianceModel::E, CovarianceModel::V];

    /// The name users type.
    pub fn name(self) -> &'static str {
        use CovarianceModel::*;
        match self {
            E => "E",
            V => "V",
            EII => "EII",
            VII => "VII",
            EEI => "EEI",
            VEI => "VEI",
            EVI => "EVI",
            VVI => "VVI",
            EEE => "EEE",
            VEE => "VEE",
            EVE => "EVE",
            VVE => "VVE",
            EEV => "EEV",
            VEV => "VEV",
            EVV => "EVV",
            VVV => "VVV",
        }
    }

    /// The model of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::MULTIVARIATE
            .into_iter()
            .chain(Self::UNIVARIATE)
            .find(|model| model.name() == name)
    }

    /// Whether all components share one covariance matrix.
    pub fn is_pooled(self) -> bool {
        use CovarianceModel::*;
        matches!(self, E | EII | EEI | EEE)
    }

    /// Whether every covariance matrix is diagonal.
    pub fn is_diagonal(self) -> bool {
        use CovarianceModel::*;
        matches!(self, E | V | EII | VII | EEI | VEI | EVI | VVI)
    }

    /// Whether every member of `special` is a member of this model: letter by letter, I ⊂ E ⊂ V.
    pub fn contains(self, special: Self) -> bool {
        let freedom = |letter: u8| match letter {
            b'I' => 0,
            b'E' => 1,
            _ => 2,
        };
        let (general, special) = (self.name().as_bytes(), special.name().as_bytes());
        general.len() == special.len()
            && general
                .iter()
                .zip(special)
                .all(|(&g, &s)| freedom(g) >= freedom(s))
    }

    /// Free parameters of the K covariance matrices in `d` dimensions (Celeux & Govaert 1995, table 1).
    pub fn covariance_parameters(self, d: usize, k: usize) -> usize {
        use CovarianceModel::*;
        let full = d * (d + 1) / 2;
        let rotation = d * (d - 1) / 2;
        match self {
            E | EII => 1,
            V | VII => k,
            EEI => d,
            VEI => k + d - 1,
            EVI => 1 + k * (d - 1),
            VVI => k * d,
            EEE => full,
            VEE => full + k - 1,
            EVE => 1 + k * (d - 1) + rotation,
            VVE => k * d + rotation,
            EEV => d + k * rotation,
            VEV => k + d - 1 + k * rotation,
            EVV => 1 + k * (full - 1),
            VVV => k * full,
        }
    }
}

/// A uniform component for rows that belong to no cluster (Banfield & Raftery 1993).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Mixing weight, in (0, 1).
    pub weight: f64,
    /// log(1 / volume of the region the data lie in); constant during the fit.
    pub log_density: f64,
}

/// Parameters θ of a mixture of K Gaussians in d dimensions.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    pub model: CovarianceModel,
    /// K mixing weights; with the noise weight they sum to one.
    pub weights: Vec<f64>,
    /// d × K, one mean per column.
    pub means: DMatrix<f64>,
    /// K positive definite d × d matrices (equal ones where the model pools them).
    pub covariances: Vec<DMatrix<f64>>,
    pub noise: Option<Noise>,
}

impl Mixture {
    /// Number of Gaussian components K.
    pub fn components(&self) -> usize {
        self.weights.len()
    }

    /// Number of dimensions d.
    pub fn dim(&self) -> usize {
        self.means.nrows()
    }

    /// Free parameters: weights, means, covariances, and the noise weight.
    pub fn parameters(&self) -> usize {
        let (k, d) = (self.components(), self.dim());
        (k - 1) + k * d + self.model.covariance_parameters(d, k) + usize::from(self.noise.is_some())
    }

    /// These parameters with covariances in the shape that the E-step of `model` relies on.
    pub fn as_member(&self, model: CovarianceModel) -> Self {
        let mut member = Mixture {
            model,
            ..self.clone()
        };
        if model.is_diagonal() {
            for sigma in &mut member.covariances {
                *sigma = DMatrix::from_diagonal(&sigma.diagonal());
            }
        }
        if model.is_pooled() {
            let total: f64 = member.weights.iter().sum();
            let d = member.dim();
            let parts = member.weights.iter().zip(&member.covariances);
            let common = parts.fold(DMatrix::zeros(d, d), |sum, (w, s)| sum + s * (w / total));
            member.covariances.fill(common);
        }
        member
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_models_nest() {
        for model in CovarianceModel::MULTIVARIATE {
            assert_eq!(CovarianceModel::from_name(model.name()), Some(model));
            assert!(CovarianceModel::VVV.contains(model));
            assert!(model.contains(CovarianceModel::EII));
            for special in CovarianceModel::MULTIVARIATE {
                if model.contains(special) {
                    let (d, k) = (4, 3);
                    assert!(
                        model.covariance_parameters(d, k) >= special.covariance_parameters(d, k)
                    );
                }
            }
        }
        assert!(!CovarianceModel::EVV.contains(CovarianceModel::VEE));
        assert!(!CovarianceModel::V.contains(CovarianceModel::EII));
    }
}
