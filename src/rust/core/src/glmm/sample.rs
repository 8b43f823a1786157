//! What is integrated, group by group: the rows themselves, or one row for each group where sums suffice.

use std::borrow::Cow;
use std::ops::Range;

use super::exposure::Exposure;
use super::family::Family;
use super::groups::Groups;
use crate::mixed::rows::Rows;

/// Rows by group.
#[derive(Debug, Clone)]
pub(super) struct Sample<'a> {
    rows: &'a Rows<'a>,
    /// Which of the integrated rows belong to which level.
    pub groups: Groups,
    exposure: Option<Exposure>,
    /// The part of η without random effects, in the order of the rows of the data.
    fixed: Vec<f64>,
}

impl<'a> Sample<'a> {
    /// The rows of a model with one core term.
    pub fn of(rows: &'a Rows<'a>, family: &Family) -> Self {
        let term = &rows.terms[0];
        let groups = Groups::of(term);
        let sums = Exposure::suffices(family, &term.columns, &groups);
        let levels = groups.levels();
        let (groups, exposure) = if sums {
            let exposure = Exposure::of(rows, groups);
            (Groups::singletons(levels), Some(exposure))
        } else {
            (groups, None)
        };
        Sample {
            rows,
            groups,
            exposure,
            fixed: vec![0.0; rows.len()],
        }
    }

    /// Takes the part of η without random effects, which `fill` writes; returns what the kernels of the rows of the
    /// data have beyond those of the rows that are integrated.
    pub fn update(&mut self, fill: impl FnOnce(&mut [f64])) -> f64 {
        fill(&mut self.fixed);
        let exposure = self.exposure.as_mut();
        exposure.map_or(0.0, |exposure| exposure.update(self.rows, &self.fixed))
    }

    /// Reads rows at some positions: y, weights, fixed part and columns of Z.
    pub fn load(&self, at: Range<usize>, [y, weights, fixed]: [&mut [f64]; 3], z: &mut [Vec<f64>]) {
        if let Some(exposure) = &self.exposure {
            y.copy_from_slice(&exposure.counts[at.clone()]);
            fixed.copy_from_slice(&exposure.logs[at]);
            weights.fill(1.0);
            z[0].fill(1.0);
            return;
        }
        self.groups.gather(at.clone(), self.rows.response, y);
        self.groups.gather(at.clone(), &self.fixed, fixed);
        match self.rows.weights {
            Some(values) => self.groups.gather(at.clone(), values, weights),
            None => weights.fill(1.0),
        }
        for (z, column) in z.iter_mut().zip(&self.rows.terms[0].columns) {
            self.groups.gather_column(at.clone(), column, z);
        }
    }

    /// Derivatives in the fixed part of every row of the data from those at the positions.
    pub fn spread<'s>(&self, slopes: &'s [f64]) -> Cow<'s, [f64]> {
        match &self.exposure {
            Some(exposure) => Cow::Owned(exposure.spread(self.rows, slopes)),
            None => self.groups.scatter(slopes),
        }
    }

    /// η of every row of the data, given b of every level (one after the other).
    pub fn linear_predictor(&self, effects: &[f64]) -> Vec<f64> {
        let term = &self.rows.terms[0];
        let q = term.columns.len();
        let of_row = |(i, &code): (usize, &i32)| {
            let b = &effects[(code as usize - 1) * q..][..q];
            let random: f64 = b.iter().zip(&term.columns).map(|(b, z)| b * z.at(i)).sum();
            self.fixed[i] + random
        };
        term.codes.iter().enumerate().map(of_row).collect()
    }
}
