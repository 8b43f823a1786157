//! The parameters as users read them, and their derivatives with respect to the chart.

use nalgebra::{DMatrix, DVector};

use super::chart::{all_weights, Chart, Motion};

/// What a coefficient is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CoefficientKind {
    /// Mixing weight of a component.
    Weight,
    /// Mixing weight of the noise.
    NoiseWeight,
    Mean,
    /// Entry of a covariance matrix, variances included.
    Covariance,
    /// Standard deviation, √Σ_jj.
    Deviation,
    /// Σ_ij / √(Σ_ii Σ_jj), i > j.
    Correlation,
}

impl CoefficientKind {
    /// The word that names it.
    pub fn name(self) -> &'static str {
        match self {
            CoefficientKind::Weight | CoefficientKind::NoiseWeight => "weight",
            CoefficientKind::Mean => "mean",
            CoefficientKind::Covariance => "covariance",
            CoefficientKind::Deviation => "sd",
            CoefficientKind::Correlation => "correlation",
        }
    }
}

/// One reported parameter; indices are 1-based, and 0 where they do not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Coefficient {
    pub kind: CoefficientKind,
    /// Component; 0 for what all components share, and for the noise.
    pub component: usize,
    /// Column of the data: of the mean, or the row of a covariance's entry.
    pub row: usize,
    /// Column of a covariance's entry, at most `row`.
    pub column: usize,
}

/// How covariance matrices are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CovarianceScale {
    /// Entries of Σ, lower triangle by columns (the diagonal alone in diagonal models).
    Entries,
    /// Standard deviations, then correlations by columns.
    Deviations,
}

/// Reported parameters with their derivatives.
#[derive(Debug, Clone)]
pub struct Report {
    pub coefficients: Vec<Coefficient>,
    /// Values at the fit.
    pub estimates: Vec<f64>,
    /// Coefficients × P: derivative of each coefficient with respect to φ.
    pub jacobian: DMatrix<f64>,
}

impl Report {
    /// All weights (noise last), means and covariance parameters that are not known, in this order; those of
    /// a pooled covariance once. The weights sum to one, so their covariance matrix is singular.
    pub fn new(chart: &Chart, scale: CovarianceScale) -> Self {
        let mut rows = Rows {
            chart,
            coefficients: Vec::new(),
            estimates: Vec::new(),
            gradients: Vec::new(),
        };
        let has = |test: fn(Motion) -> bool| chart.coordinates().iter().any(|c| test(c.motion));
        let mixture = chart.origin();
        let (k, d) = (mixture.components(), mixture.dim());
        // One component without noise has its weight of one by definition: reported with no error, unless
        // weights are known.
        if chart.estimates_weights() {
            rows.weights();
        }
        if has(|motion| matches!(motion, Motion::Mean(_))) {
            for component in 0..k {
                for j in 0..d {
                    rows.mean(component, j);
                }
            }
        }
        if has(Motion::is_covariance) {
            let reported = if mixture.model.is_pooled() { 1 } else { k };
            for component in 0..reported {
                rows.covariance(component, scale);
            }
        }
        let jacobian = DMatrix::from_fn(rows.gradients.len(), chart.len(), |i, j| {
            rows.gradients[i][j]
        });
        Report {
            coefficients: rows.coefficients,
            estimates: rows.estimates,
            jacobian,
        }
    }
}

/// A report while it is written.
struct Rows<'a> {
    chart: &'a Chart,
    coefficients: Vec<Coefficient>,
    estimates: Vec<f64>,
    gradients: Vec<DVector<f64>>,
}

impl Rows<'_> {
    fn push(&mut self, coefficient: Coefficient, estimate: f64, gradient: DVector<f64>) {
        self.coefficients.push(coefficient);
        self.estimates.push(estimate);
        self.gradients.push(gradient);
    }

    fn weights(&mut self) {
        let mixture = self.chart.origin();
        for (label, &weight) in all_weights(mixture).iter().enumerate() {
            let (kind, component) = if label < mixture.components() {
                (CoefficientKind::Weight, label + 1)
            } else {
                (CoefficientKind::NoiseWeight, 0)
            };
            let mut gradient = DVector::zeros(self.chart.len());
            for (c, coordinate) in self.chart.coordinates().iter().enumerate() {
                if let Motion::Weight(q) = coordinate.motion {
                    gradient[c] = weight * self.chart.weight_score(label, q);
                }
            }
            let coefficient = Coefficient {
                kind,
                component,
                row: 0,
                column: 0,
            };
            self.push(coefficient, weight, gradient);
        }
    }

    fn mean(&mut self, component: usize, j: usize) {
        let mut gradient = DVector::zeros(self.chart.len());
        for c in self.chart.touching(component) {
            if let Motion::Mean(axis) = self.chart.coordinates()[c].motion {
                gradient[c] = self.chart.cholesky(component)[(j, axis)];
            }
        }
        let coefficient = Coefficient {
            kind: CoefficientKind::Mean,
            component: component + 1,
            row: j + 1,
            column: 0,
        };
        self.push(
            coefficient,
            self.chart.origin().means[(j, component)],
            gradient,
        );
    }

    fn covariance(&mut self, component: usize, scale: CovarianceScale) {
        let mixture = self.chart.origin();
        let (model, d) = (mixture.model, mixture.dim());
        let sigma = mixture.covariances[component].clone();
        let tangents: Vec<(usize, DMatrix<f64>)> = self
            .chart
            .touching(component)
            .into_iter()
            .filter_map(|c| {
                let basis = self.chart.basis(component);
                let tangent = self.chart.tangent(c, component)?;
                Some((c, basis * tangent * basis.transpose()))
            })
            .collect();
        let size = self.chart.len();
        let gradient = |value: &dyn Fn(&DMatrix<f64>) -> f64| {
            let mut gradient = DVector::zeros(size);
            for (c, tangent) in &tangents {
                gradient[*c] = value(tangent);
            }
            gradient
        };
        let at = |kind, i: usize, j: usize| Coefficient {
            kind,
            component: if model.is_pooled() { 0 } else { component + 1 },
            row: i + 1,
            column: j + 1,
        };
        let lower = |j: usize, from: usize| {
            if model.is_diagonal() {
                0..0
            } else {
                j + from..d
            }
        };
        match scale {
            CovarianceScale::Entries => {
                for j in 0..d {
                    for i in (j..j + 1).chain(lower(j, 1)) {
                        let coefficient = at(CoefficientKind::Covariance, i, j);
                        self.push(coefficient, sigma[(i, j)], gradient(&|t| t[(i, j)]));
                    }
                }
            }
            CovarianceScale::Deviations => {
                let sd = sigma.diagonal().map(f64::sqrt);
                for j in 0..d {
                    let coefficient = at(CoefficientKind::Deviation, j, j);
                    self.push(coefficient, sd[j], gradient(&|t| 0.5 * t[(j, j)] / sd[j]));
                }
                for j in 0..d {
                    for i in lower(j, 1) {
                        let correlation = sigma[(i, j)] / (sd[i] * sd[j]);
                        let change = |t: &DMatrix<f64>| {
                            t[(i, j)] / (sd[i] * sd[j])
                                - 0.5
                                    * correlation
                                    * (t[(i, i)] / sigma[(i, i)] + t[(j, j)] / sigma[(j, j)])
                        };
                        let coefficient = at(CoefficientKind::Correlation, i, j);
                        self.push(coefficient, correlation, gradient(&change));
                    }
                }
            }
        }
    }
}
