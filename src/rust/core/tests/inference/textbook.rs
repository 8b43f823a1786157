//! A second parametrisation of every model, as a textbook would write it: log-ratios of weights, means, log
//! volumes, log ratios of axes, Cayley's rotations, entries of unstructured matrices.

use ember_core::mixture::inference::{Coefficient, CoefficientKind};
use ember_core::mixture::model::{CovarianceModel, Mixture};
use nalgebra::{DMatrix, SymmetricEigen};

pub struct Textbook {
    like: Mixture,
    /// Eigenvectors per component, or the common ones.
    axes: Vec<DMatrix<f64>>,
}

/// Which letters of the model's name vary, for volume, shape, orientation; 'I' for the identity.
fn letters(model: CovarianceModel) -> [char; 3] {
    match model.name() {
        "E" => ['E', 'I', 'I'],
        "V" => ['V', 'I', 'I'],
        name => {
            let mut letters = name.chars();
            std::array::from_fn(|_| letters.next().unwrap())
        }
    }
}

impl Textbook {
    pub fn new(like: &Mixture) -> Self {
        let axes = if letters(like.model)[1..] == ['V', 'E'] {
            // Common axes: those of the first matrix, whose axes have different lengths in the examples.
            vec![sorted_axes(&like.covariances[0]); like.weights.len()]
        } else {
            like.covariances.iter().map(sorted_axes).collect()
        };
        Textbook {
            like: like.clone(),
            axes,
        }
    }

    fn copies(&self, letter: char) -> usize {
        match letter {
            'V' => self.like.weights.len(),
            'E' => 1,
            _ => 0,
        }
    }

    /// A form common to all components or free is written by entries of a matrix of determinant one.
    fn by_entries(&self) -> bool {
        let [_, shape, orientation] = letters(self.like.model);
        orientation != 'I' && shape == orientation
    }

    pub fn coordinates(&self) -> Vec<f64> {
        let mixture = &self.like;
        let (k, d) = (mixture.weights.len(), mixture.means.nrows());
        let mut psi: Vec<f64> = (1..k)
            .map(|c| (mixture.weights[c] / mixture.weights[0]).ln())
            .collect();
        psi.extend(mixture.means.iter());
        let [volume, shape, orientation] = letters(mixture.model);
        for c in 0..self.copies(volume) {
            psi.push(mixture.covariances[c].determinant().ln() / d as f64);
        }
        for c in 0..self.copies(shape) {
            let covariance = &mixture.covariances[c];
            if self.by_entries() {
                // Relative to the last diagonal entry.
                for i in 0..d {
                    for j in 0..=i {
                        if (i, j) != (d - 1, d - 1) {
                            psi.push(covariance[(i, j)] / covariance[(d - 1, d - 1)]);
                        }
                    }
                }
            } else {
                let lengths = self.lengths(c);
                psi.extend((0..d - 1).map(|j| (lengths[j] / lengths[d - 1]).ln()));
            }
        }
        if !self.by_entries() {
            psi.extend(vec![0.0; self.copies(orientation) * d * (d - 1) / 2]);
        }
        psi
    }

    fn lengths(&self, component: usize) -> Vec<f64> {
        let covariance = &self.like.covariances[component];
        if letters(self.like.model)[2] == 'I' {
            covariance.diagonal().as_slice().to_vec()
        } else {
            let axes = &self.axes[component];
            (axes.transpose() * covariance * axes)
                .diagonal()
                .as_slice()
                .to_vec()
        }
    }

    pub fn mixture(&self, psi: &[f64]) -> Mixture {
        let mut next = psi.iter().copied();
        let mut take = |count: usize| -> Vec<f64> { next.by_ref().take(count).collect() };
        let mut mixture = self.like.clone();
        let (k, d) = (mixture.weights.len(), mixture.means.nrows());
        let mut weights = vec![1.0];
        weights.extend(take(k - 1).iter().map(|value| value.exp()));
        let sum: f64 = weights.iter().sum();
        mixture.weights = weights.iter().map(|weight| weight / sum).collect();
        mixture.means = DMatrix::from_vec(d, k, take(d * k));
        let [volume, shape, orientation] = letters(mixture.model);
        let volumes = take(self.copies(volume));
        let form = if self.by_entries() {
            d * (d + 1) / 2 - 1
        } else {
            d - 1
        };
        let shapes: Vec<Vec<f64>> = (0..self.copies(shape)).map(|_| take(form)).collect();
        let rotations: Vec<Vec<f64>> = if self.by_entries() {
            Vec::new()
        } else {
            (0..self.copies(orientation))
                .map(|_| take(d * (d - 1) / 2))
                .collect()
        };
        let pick = |c: usize, count: usize| if count == 1 { 0 } else { c };
        for c in 0..k {
            let mut matrix = DMatrix::identity(d, d);
            if !shapes.is_empty() {
                let values = &shapes[pick(c, shapes.len())];
                if self.by_entries() {
                    let mut entries = values.iter();
                    for i in 0..d {
                        for j in 0..=i {
                            let value = entries.next().copied().unwrap_or(1.0);
                            matrix[(i, j)] = value;
                            matrix[(j, i)] = value;
                        }
                    }
                } else {
                    for (j, value) in values.iter().enumerate() {
                        matrix[(j, j)] = value.exp();
                    }
                }
            }
            if !rotations.is_empty() {
                let own = pick(c, rotations.len());
                let axes = &self.axes[c] * cayley(&rotations[own], d);
                matrix = &axes * matrix * axes.transpose();
            }
            let scale =
                volumes[pick(c, volumes.len())].exp() / matrix.determinant().powf(1.0 / d as f64);
            mixture.covariances[c] = matrix * scale;
        }
        mixture
    }

    /// The values of reported coefficients at ψ.
    pub fn values(&self, psi: &[f64], coefficients: &[Coefficient]) -> Vec<f64> {
        let mixture = self.mixture(psi);
        coefficients.iter().map(|c| value(&mixture, c)).collect()
    }
}

pub fn value(mixture: &Mixture, coefficient: &Coefficient) -> f64 {
    let Coefficient {
        kind,
        component,
        row,
        column,
    } = *coefficient;
    let covariance = &mixture.covariances[component.max(1) - 1];
    match kind {
        CoefficientKind::Weight => mixture.weights[component - 1],
        CoefficientKind::NoiseWeight => mixture.noise.unwrap().weight,
        CoefficientKind::Mean => mixture.means[(row - 1, component - 1)],
        CoefficientKind::Covariance => covariance[(row - 1, column - 1)],
        CoefficientKind::Deviation => covariance[(row - 1, row - 1)].sqrt(),
        CoefficientKind::Correlation => {
            covariance[(row - 1, column - 1)]
                / (covariance[(row - 1, row - 1)] * covariance[(column - 1, column - 1)]).sqrt()
        }
    }
}

fn sorted_axes(covariance: &DMatrix<f64>) -> DMatrix<f64> {
    let eigen = SymmetricEigen::new(covariance.clone());
    let mut order: Vec<usize> = (0..covariance.nrows()).collect();
    order.sort_by(|&i, &j| eigen.eigenvalues[i].total_cmp(&eigen.eigenvalues[j]));
    eigen.eigenvectors.select_columns(&order)
}

/// (I − S)⁻¹ (I + S) for the skew matrix S with the given lower triangle.
fn cayley(entries: &[f64], d: usize) -> DMatrix<f64> {
    let mut skew = DMatrix::zeros(d, d);
    let mut next = entries.iter();
    for i in 0..d {
        for j in 0..i {
            let value = next.next().copied().unwrap();
            skew[(i, j)] = value;
            skew[(j, i)] = -value;
        }
    }
    let identity = DMatrix::identity(d, d);
    (&identity - &skew).try_inverse().unwrap() * (identity + skew)
}
