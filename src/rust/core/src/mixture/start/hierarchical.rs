//! A tree of a sample of rows gives a start for every k.
//!
//! Columns are standardised, rotated to their principal axes and divided by the root of the axes' singular
//! values (Scrucca & Raftery 2015, "scaled SVD"): half-way between raw and sphered, so that long axes count, but
//! not all. Ward's tree ([`ward`](super::ward)) needs no more. The tree of unequal ellipsoids
//! ([`volume`](super::volume)) merges single rows when there are at most a thousand (fewer in many dimensions),
//! else Ward's clusters; it is then the default start of mclust, hc(x, "VVV", use = "SVD").

use nalgebra::{DMatrix, DVector};
use rand::Rng;

use super::distinct::require_distinct_rows;
use super::kmeans::{assign, Centres};
use super::sample::Sample;
use super::scale::ColumnScale;
use super::volume;
use super::ward::{self, Join, Points};
use crate::error::{Error, Result};
use crate::linalg;
use crate::mixture::data::Data;

/// Variance of a principal axis, relative to the largest, below which it is rounding.
const FLAT_AXIS: f64 = 1e-10;

/// What a merge should keep low, up to constants: minus twice the classification log-likelihood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Criterion {
    /// Ward's sum of squares: spherical clusters of one size (EII).
    EqualSpheres,
    /// n log(|Σ̂| + tr Σ̂ + α/n), summed over clusters: each its own ellipsoid (VVV), flat ones allowed.
    UnequalEllipsoids,
}

/// The trees of some rows, one for each [`Criterion`].
#[derive(Debug, Clone)]
pub struct Tree {
    sample: Sample,
    scale: ColumnScale,
    spheres: Vec<Join>,
    ellipsoids: Vec<Join>,
    k_max: usize,
}

impl Tree {
    /// Grows the tree of at most about `sample_rows` rows, drawn with `rng` from those of positive weight; all
    /// of them when there are no more. Rows count in proportion to their weights.
    ///
    /// Incomplete rows are left out of the sample when at least half of the rows are complete; otherwise
    /// their missing cells stand at the column's mean. Time O(m² d) for m sampled rows, memory O(m d).
    ///
    /// # Errors
    /// [`Error::Argument`] on `k` when `data` have fewer than `k_max` distinct rows.
    pub fn grow<R: Rng>(
        data: &Data,
        k_max: usize,
        sample_rows: usize,
        rng: &mut R,
    ) -> Result<Self> {
        require_distinct_rows(data, k_max)?;
        let complete = |i: usize| (0..data.columns()).all(|j| !data.column(j)[i].is_nan());
        let mostly_complete = 2 * (0..data.rows()).filter(|&i| complete(i)).count() >= data.rows();
        let eligible = |i: usize| !mostly_complete || complete(i);
        let sample = Sample::draw(data, sample_rows, k_max, eligible, rng);
        let scale = ColumnScale::of(data);
        let points = principal_points(&sample.data()?, &scale)?;
        let spheres = ward::tree(points.clone());
        let m = points.len();
        let clusters = volume::affordable_clusters(points.coordinates).min(m);
        let mut ellipsoids = spheres[..m - clusters].to_vec();
        let labels = ward::cut(m, &ellipsoids);
        ellipsoids.extend(volume::agglomerate(&points, &labels));
        Ok(Tree {
            sample,
            scale,
            spheres,
            ellipsoids,
            k_max,
        })
    }

    /// The rows that the tree is made of.
    pub fn sample(&self) -> &Sample {
        &self.sample
    }

    /// Labels 0..k of the sampled rows. Moments of the sample with these labels are the better start: the
    /// first E-step then sorts all rows by density, not by distance.
    ///
    /// # Errors
    /// [`Error::Argument`] on `k` outside 1..=`k_max`.
    pub fn sample_labels(&self, k: usize, criterion: Criterion) -> Result<Vec<u32>> {
        if k == 0 || k > self.k_max {
            return Err(Error::Argument {
                argument: "k",
                message: format!("must be between 1 and {}: it is {k}.", self.k_max),
            });
        }
        let m = self.sample.rows().len();
        let joins = match criterion {
            Criterion::EqualSpheres => &self.spheres,
            Criterion::UnequalEllipsoids => &self.ellipsoids,
        };
        Ok(ward::cut(m, &joins[..m - k]))
    }

    /// Labels 0..k of all rows of `data`: rows outside the sample go to the nearest cluster mean in
    /// standardised columns.
    ///
    /// # Errors
    /// [`Error::Argument`] on `k` outside 1..=`k_max`.
    pub fn labels(&self, data: &Data, k: usize, criterion: Criterion) -> Result<Vec<u32>> {
        let sampled = self.sample_labels(k, criterion)?;
        if sampled.len() == data.rows() {
            return Ok(sampled);
        }
        let centres = Centres::of(&self.sample.data()?, &self.scale, &sampled, k);
        let mut labels = assign(data, &self.scale, &centres);
        for (&i, label) in self.sample.rows().iter().zip(sampled) {
            labels[i] = label;
        }
        Ok(labels)
    }
}

/// Rows on their scaled principal axes, with weights of mean one, and the mean variance of those coordinates.
fn principal_points(rows: &Data, scale: &ColumnScale) -> Result<Points> {
    let (m, d) = (rows.rows(), rows.columns());
    let unit = rows.total_weight() / m as f64;
    let weights = DVector::from_fn(m, |i, _| rows.weights().map_or(1.0, |w| w[i] / unit));
    // Rows of z are columns here, so that a point's coordinates lie together.
    let mut z = DMatrix::from_fn(d, m, |j, i| {
        let z = scale.standardise(j, rows.column(j)[i]);
        if z.is_finite() {
            z
        } else {
            0.0
        }
    });
    let mean = &z * &weights / m as f64;
    let mut weighted = DMatrix::zeros(d, m);
    for i in 0..m {
        let mut point = z.column_mut(i);
        point -= &mean;
        weighted.set_column(i, &(point * weights[i]));
    }
    let covariance = linalg::symmetrized(&(weighted * z.transpose() / m as f64));
    let (values, vectors) = linalg::symmetric_eigen(&covariance)?;
    let threshold = FLAT_AXIS * values[0];
    let q = values.iter().filter(|&&v| v > threshold).count();
    // √√(m − 1) scales by singular values, not standard deviations; √((m − 1) / m) is the sample's variance.
    let unit = (m.max(2) as f64 - 1.0).sqrt().sqrt() / (m as f64).sqrt();
    let axes = DMatrix::from_fn(q, d, |a, j| {
        unit * vectors[(j, a)] / values[a].sqrt().sqrt()
    });
    Ok(Points {
        coordinates: q,
        cells: (axes * z).as_slice().to_vec(),
        weights: weights.as_slice().to_vec(),
    })
}
