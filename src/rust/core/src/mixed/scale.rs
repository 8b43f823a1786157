//! Units of θ: how large an entry of Λ must be for the data to see it.
//!
//! A column z of Z with mean square m over the levels of its factor (for the intercept, m rows per level) shrinks
//! its effects by 1/(1 + mθ²): below 1/√m nothing is seen of θ, and above it θ is seen on its own scale. So the
//! unit of a row of Λ is the square root of its squared length plus 1/m, whatever the units of z.

use super::criterion::Problem;
use super::structure::Entry;

/// √m for each term and row of Λ_t.
#[derive(Debug, Clone)]
pub(crate) struct Scales(Vec<Vec<f64>>);

impl Scales {
    pub(crate) fn of(problem: &Problem) -> Self {
        let statistics = problem.statistics;
        let sizes = statistics.widths().iter().zip(statistics.levels());
        let terms = sizes.enumerate().map(|(t, (&q, &levels))| {
            let row = |r: usize| {
                let groups = statistics.design.products.iter();
                let square: f64 = groups
                    .map(|products| {
                        let blocks = products.diagonal[t].chunks_exact(q * q);
                        blocks.map(|block| block[r * q + r]).sum::<f64>()
                    })
                    .sum();
                let mean = square / levels as f64;
                // A column of zeros has no scale.
                if mean > 0.0 {
                    mean.sqrt()
                } else {
                    1.0
                }
            };
            (0..q).map(row).collect()
        });
        Scales(terms.collect())
    }

    /// √m of a row.
    pub(crate) fn of_row(&self, term: usize, row: usize) -> f64 {
        self.0[term][row]
    }

    /// The unit of a row of Λ_t.
    pub(crate) fn unit(&self, problem: &Problem, theta: &[f64], term: usize, row: usize) -> f64 {
        let entries = problem.structure.entries.iter().zip(theta);
        let square: f64 = entries
            .filter(|(entry, _)| entry.term == term && entry.row == row)
            .map(|(_, value)| value * value)
            .sum();
        (square + self.of_row(term, row).powi(-2)).sqrt()
    }

    /// The units of all coordinates; logarithms have unit 1.
    pub(crate) fn units(&self, problem: &Problem, theta: &[f64], units: &mut [f64]) {
        units.fill(1.0);
        for (unit, &k) in units.iter_mut().zip(problem.free()) {
            let Entry { term, row, .. } = problem.structure.entries[k];
            *unit = self.unit(problem, theta, term, row);
        }
    }
}
