//! Which coefficients there are and where every parameter stands.
//!
//! Naturals, the parameters that users see, are in this order: coefficients of the kept columns, design by design
//! (outcomes 1..J, selections 1..J); σ of the J outcome errors; correlations ρ(a, b), a < b, of the 2J errors (outcomes
//! before selections): (1,2), (1,3), …, (1,2J), (2,3), …. The variances of the selection errors are 1 and no
//! parameters.

use nalgebra::DMatrix;

use super::data::Data;
use crate::error::{Error, Result};
use crate::mixed::basis::{orthogonalise, reflect, Basis, Transform, BLOCK_ROWS};

/// Coefficients and error covariances.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// Of the kept columns of each of the 2J designs.
    pub coefficients: Vec<Vec<f64>>,
    /// Ω, 2J × 2J, with ones on the diagonal of the selections.
    pub omega: DMatrix<f64>,
}

/// The columns that count and the places of the parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Number of equations J.
    pub equations: usize,
    /// Kept and aliased columns of each of the 2J designs; X T has orthogonal columns of mean square 1 over the rows
    /// used: those where the outcome is seen for an outcome, all for a selection.
    pub bases: Vec<Basis>,
    /// Where the coefficients of each design start, and where they end.
    starts: Vec<usize>,
}

impl Layout {
    /// The layout of `data`.
    ///
    /// # Errors
    /// [`Error::Degenerate`] naming the component of a selection that never or always selects.
    pub fn of(data: &Data) -> Result<Self> {
        let j = data.equations;
        for equation in 0..j {
            let selected = data.patterns.iter().map(|pattern| pattern >> equation & 1);
            let selected: usize = selected.map(usize::from).sum();
            if selected == 0 || selected == data.n {
                let when = if selected == 0 { "never" } else { "always" };
                return Err(Error::Degenerate {
                    component: j + equation + 1,
                    message: format!("the selection of equation {} {when} selects", equation + 1),
                });
            }
        }
        let bases: Vec<Basis> = (0..2 * j).map(|component| basis(data, component)).collect();
        let mut starts = vec![0];
        for basis in &bases {
            starts.push(starts[starts.len() - 1] + basis.kept.len());
        }
        Ok(Layout {
            equations: j,
            bases,
            starts,
        })
    }

    /// Number of errors, 2J.
    pub fn components(&self) -> usize {
        2 * self.equations
    }

    /// Columns kept of the design of `component`.
    pub fn kept(&self, component: usize) -> &[usize] {
        &self.bases[component].kept
    }

    /// Number of coefficients of all designs.
    pub fn coefficients(&self) -> usize {
        self.starts[self.components()]
    }

    /// Where the coefficients of `component` stand.
    pub fn range(&self, component: usize) -> std::ops::Range<usize> {
        self.starts[component]..self.starts[component + 1]
    }

    /// Number of parameters K.
    pub fn len(&self) -> usize {
        let errors = self.components();
        self.coefficients() + self.equations + errors * (errors - 1) / 2
    }

    /// Never: there are always correlations.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Where σ of outcome `equation` stands.
    pub fn sigma(&self, equation: usize) -> usize {
        self.coefficients() + equation
    }

    /// Where the correlation of two different errors stands.
    pub fn correlation(&self, a: usize, b: usize) -> usize {
        let (a, b, errors) = (a.min(b), a.max(b), self.components());
        // Pairs whose first error comes before a.
        let before = a * errors - a * (a + 1) / 2;
        self.coefficients() + self.equations + before + (b - a - 1)
    }

    /// Pairs of errors in the order of their correlations.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let errors = self.components();
        (0..errors).flat_map(move |a| (a + 1..errors).map(move |b| (a, b)))
    }

    /// The naturals.
    pub fn naturals(&self, parameters: &Parameters) -> Vec<f64> {
        let omega = &parameters.omega;
        let sigmas: Vec<f64> = omega.diagonal().iter().map(|v| v.sqrt()).collect();
        let mut naturals = parameters.coefficients.concat();
        naturals.extend(&sigmas[..self.equations]);
        naturals.extend(
            self.pairs()
                .map(|(a, b)| omega[(a, b)] / (sigmas[a] * sigmas[b])),
        );
        naturals
    }

    /// The parameters of naturals.
    ///
    /// # Errors
    /// [`Error::Numerical`] when their number is wrong, a value is not finite, a σ not positive or a correlation not
    /// between −1 and 1. Whether Ω is positive definite is not asked.
    pub fn parameters(&self, naturals: &[f64]) -> Result<Parameters> {
        let sound = naturals.len() == self.len()
            && naturals.iter().all(|x| x.is_finite())
            && (0..self.equations).all(|j| naturals[self.sigma(j)] > 0.0)
            && (self.pairs()).all(|(a, b)| naturals[self.correlation(a, b)].abs() < 1.0);
        if !sound {
            return Err(Error::Numerical {
                message: format!(
                    "{} finite parameters are needed, with positive standard deviations and correlations between \
                     -1 and 1",
                    self.len()
                ),
            });
        }
        let errors = self.components();
        let sigma = |a: usize| match a < self.equations {
            true => naturals[self.sigma(a)],
            false => 1.0,
        };
        let omega = DMatrix::from_fn(errors, errors, |a, b| match a == b {
            true => sigma(a) * sigma(a),
            false => naturals[self.correlation(a, b)] * sigma(a) * sigma(b),
        });
        let coefficients = (0..errors)
            .map(|component| naturals[self.range(component)].to_vec())
            .collect();
        Ok(Parameters {
            coefficients,
            omega,
        })
    }

    /// Coefficients of all columns of a design from those of the kept ones, NaN for an aliased column.
    pub fn all_columns(&self, component: usize, kept: &[f64]) -> Vec<f64> {
        let basis = &self.bases[component];
        let mut all = vec![f64::NAN; basis.kept.len() + basis.aliased.len()];
        basis.kept.iter().zip(kept).for_each(|(&k, &x)| all[k] = x);
        all
    }

    /// Coefficients of the kept columns of a design from those of all columns.
    pub fn kept_columns(&self, component: usize, all: &[f64]) -> Vec<f64> {
        self.kept(component).iter().map(|&k| all[k]).collect()
    }
}

/// The basis of one design over the rows where it counts.
fn basis(data: &Data, component: usize) -> Basis {
    let width = data.designs[component].width;
    let counts = |row: &usize| component >= data.equations || data.is_selected(*row, component);
    let mut used = (0..data.n).filter(counts);
    let mut r = DMatrix::zeros(width, width);
    let mut block = vec![0.0; width * BLOCK_ROWS];
    let mut total = 0.0;
    loop {
        let rows: Vec<usize> = used.by_ref().take(BLOCK_ROWS).collect();
        if rows.is_empty() {
            break;
        }
        let roots: Vec<f64> = rows.iter().map(|&i| data.weight(i).sqrt()).collect();
        let block = &mut block[..width * rows.len()];
        for (k, to) in block.chunks_exact_mut(rows.len()).enumerate() {
            let column = data.column(component, k, 0..data.n);
            let values = rows.iter().zip(&roots);
            to.iter_mut()
                .zip(values)
                .for_each(|(to, (&i, root))| *to = column[i] * root);
        }
        reflect(&mut r, block, rows.len());
        total += roots.iter().map(|root| root * root).sum::<f64>();
    }
    let mut basis = orthogonalise(&r);
    // From columns of length 1 to columns of mean square 1.
    match &mut basis.transform {
        Transform::Full(t) => *t *= total.sqrt(),
        Transform::Diagonal(t) => *t *= total.sqrt(),
    }
    basis
}

#[cfg(test)]
mod tests {
    use super::super::examples::Example;
    use super::*;

    #[test]
    fn naturals_go_there_and_back() {
        for equations in 1..=3 {
            let example = Example::new(equations, 60);
            let data = example.data();
            let layout = Layout::of(&data).unwrap();
            let naturals = layout.naturals(&example.parameters);
            assert_eq!(naturals.len(), layout.len());
            let back = layout.parameters(&naturals).unwrap();
            assert!((&back.omega - &example.parameters.omega).amax() < 1e-15);
            assert_eq!(back.coefficients, example.parameters.coefficients);
            let places: Vec<usize> = (layout.pairs())
                .map(|(a, b)| layout.correlation(b, a))
                .collect();
            let first = layout.sigma(0) + equations;
            assert_eq!(places, (first..layout.len()).collect::<Vec<_>>());
            let mut bad = naturals.clone();
            bad[layout.sigma(0)] = 0.0;
            assert!(layout.parameters(&bad).is_err());
        }
    }

    #[test]
    fn bases_are_orthogonal_over_the_rows_used_and_leave_out_aliased_columns() {
        let mut example = Example::new(2, 300);
        let n = example.n;
        // A column that differs from the first only where outcome 1 is not seen.
        let mut copy = example.designs[0][..n].to_vec();
        let seen: Vec<bool> = (0..n).map(|i| example.selected[i] == 1).collect();
        copy.iter_mut()
            .zip(&seen)
            .for_each(|(x, seen)| *x += f64::from(!seen));
        let width = example.designs[0].len() / n;
        example.designs[0].extend(&copy);
        example.designs[2].extend(&copy);
        let data = example.data();
        let layout = Layout::of(&data).unwrap();
        assert_eq!(layout.bases[0].aliased, [width]);
        assert!(layout.bases[2].aliased.is_empty());
        assert!(layout.all_columns(0, &vec![1.0; width])[width].is_nan());
        for component in 0..4 {
            let p = layout.kept(component).len();
            let used: Vec<usize> = (0..n)
                .filter(|&i| component >= 2 || data.is_selected(i, component))
                .collect();
            let x = DMatrix::from_fn(used.len(), p, |i, k| {
                data.column(component, layout.kept(component)[k], 0..n)[used[i]]
            });
            let t = layout.bases[component].matrix();
            let gram = (&x * &t).tr_mul(&(&x * &t)) / used.len() as f64;
            assert!((gram - DMatrix::identity(p, p)).amax() < 1e-12);
        }
    }

    #[test]
    fn a_selection_that_does_not_vary_is_named() {
        for (value, word) in [(0, "never"), (1, "always")] {
            let mut example = Example::new(2, 50);
            example.selected[50..].fill(value);
            example.response.fill(1.0);
            match Layout::of(&example.data()) {
                Err(Error::Degenerate { component, message }) => {
                    assert_eq!(component, 4);
                    assert!(message.contains(word));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
