//! Kenward and Roger's small-sample covariance of the fixed effects (Biometrics 1997, 53: 983-997).
//!
//! V = Σ_r γ_r G_r: one γ for each variance and covariance of a random term (G = Z A_r Zᵀ with a symmetric
//! pattern A_r), and σ² for the residuals (G = W⁻¹). With P the projection of REML, D = ZᵀV⁻¹XΦ and
//! Φ = (XᵀV⁻¹X)⁻¹, everything needed is
//!
//! - ∂Φ/∂γ_r = Dᵀ A_r D,
//! - the expected information ½ tr(P G_r P G_s) = ½ tr(A_r K A_s K) with K = ZᵀPZ,
//! - Φ (Q_rs - P_r Φ P_s) Φ = Dᵀ A_r K A_s D in the paper's Q and P.
//!
//! The residuals' G follows from V itself, since P V P = P, so no row is touched (see
//! [`super::projection`] for K). Everything is computed with σ = 1.

use faer::Mat;
use nalgebra::DMatrix;

use super::criterion::Known;
use super::cross_products::CrossProducts;
use super::projection::{Level, Projection, TailTerm};
use super::structure::Structure;
use crate::error::{Error, Result};
use crate::linalg;

/// What tests of the fixed effects need: for a contrast they go on with Kenward and Roger's section 4.
#[derive(Debug, Clone, PartialEq)]
pub struct KenwardRoger {
    /// Φ, the covariance of β̂ at the estimated variances.
    pub covariance: DMatrix<f64>,
    /// Φ_A, the adjusted covariance.
    pub adjusted: DMatrix<f64>,
    /// ∂Φ/∂γ_r.
    pub derivatives: Vec<DMatrix<f64>>,
    /// Asymptotic covariance of the γ̂: the inverse of the expected REML information.
    pub parameter_covariance: DMatrix<f64>,
}

/// A variance or covariance of a random term.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Covariance {
    term: usize,
    row: usize,
    column: usize,
    /// Its value at θ, relative to σ².
    value: f64,
    known: bool,
}

impl Covariance {
    /// The ones of A_r.
    fn ones(&self) -> impl Iterator<Item = (usize, usize)> {
        let both = [(self.row, self.column), (self.column, self.row)];
        let distinct = if self.row == self.column { 1 } else { 2 };
        both.into_iter().take(distinct)
    }

    /// A_r M for a matrix with one row per effect.
    fn times(&self, matrix: &DMatrix<f64>) -> DMatrix<f64> {
        let mut product = DMatrix::zeros(matrix.nrows(), matrix.ncols());
        for (a, b) in self.ones() {
            product.row_mut(a).copy_from(&matrix.row(b));
        }
        product
    }
}

/// The adjusted covariance at a REML fit.
///
/// # Errors
/// [`Error::Argument`] naming `ddf` where the method is not defined (see [`Projection::of`]);
/// [`Error::Numerical`] when the arithmetic breaks down.
pub fn kenward_roger(
    statistics: &CrossProducts,
    structure: &Structure,
    known: &Known,
    theta: &[f64],
    sigma: f64,
) -> Result<KenwardRoger> {
    let projection = Projection::of(statistics, structure, theta)?;
    let covariances = covariances(structure, known, theta);
    let moments = Moments::of(&projection, &covariances);
    let df = (statistics.rows() - statistics.fixed_columns()) as f64;
    let complete = moments.with_residuals(&projection.covariance, &covariances, df);
    let estimated: Vec<usize> = (0..=covariances.len())
        .filter(|&r| match covariances.get(r) {
            Some(covariance) => !covariance.known,
            None => known.sigma.is_none(),
        })
        .collect();
    complete.adjust(&projection.covariance, &estimated, sigma * sigma)
}

/// Every entry of every ΛΛᵀ that can differ from zero.
fn covariances(structure: &Structure, known: &Known, theta: &[f64]) -> Vec<Covariance> {
    let mut all = Vec::new();
    for (term, &width) in structure.widths.iter().enumerate() {
        let lambda = structure.lambda(term, theta);
        let relative = &lambda * lambda.transpose();
        let blocks = blocks(structure, term);
        for column in 0..width {
            for row in (column..width).filter(|&row| blocks[row] == blocks[column]) {
                let known = row == column
                    && known
                        .deviations
                        .iter()
                        .any(|k| (k.term, k.index) == (term, row));
                all.push(Covariance {
                    term,
                    row,
                    column,
                    value: relative[(row, column)],
                    known,
                });
            }
        }
    }
    all
}

/// The block of correlated effects that each effect of a term belongs to, named by its smallest member.
fn blocks(structure: &Structure, term: usize) -> Vec<usize> {
    let mut block: Vec<usize> = (0..structure.widths[term]).collect();
    for entry in structure.entries.iter().filter(|entry| entry.term == term) {
        let (a, b) = (block[entry.row], block[entry.column]);
        for name in &mut block {
            if *name == a.max(b) {
                *name = a.min(b);
            }
        }
    }
    block
}

/// The three families of moments.
struct Moments {
    /// tr(P G_r).
    traces: Vec<f64>,
    /// tr(P G_r P G_s).
    information: DMatrix<f64>,
    /// ∂Φ/∂γ_r.
    derivatives: Vec<DMatrix<f64>>,
    /// Dᵀ A_r K A_s D, row by row.
    corrections: Vec<DMatrix<f64>>,
}

impl Moments {
    /// Those of the random terms.
    fn of(projection: &Projection, covariances: &[Covariance]) -> Self {
        let (r, p) = (covariances.len(), projection.covariance.nrows());
        let mut moments = Moments {
            traces: vec![0.0; r],
            information: DMatrix::zeros(r, r),
            derivatives: vec![DMatrix::zeros(p, p); r],
            corrections: vec![DMatrix::zeros(p, p); r * r],
        };
        let first: Vec<usize> = (0..r)
            .filter(|&k| Some(covariances[k].term) == projection.first)
            .collect();
        let sums = moments.add_levels(projection, covariances, &first);
        let tail = Tail::of(projection, covariances);
        moments.add_first(projection, &first, &sums);
        moments.add_across(projection, covariances, &first, &sums, &tail);
        moments.add_tail(projection, covariances, &tail);
        for a in 0..r {
            for b in 0..a {
                moments.information[(b, a)] = moments.information[(a, b)];
                moments.corrections[b * r + a] = moments.corrections[a * r + b].transpose();
            }
        }
        moments
    }

    /// One pass over the levels of the first term: what is local to a level, and the sums over levels.
    fn add_levels(
        &mut self,
        projection: &Projection,
        covariances: &[Covariance],
        first: &[usize],
    ) -> Vec<LevelSums> {
        let (r, p, size) = (
            covariances.len(),
            projection.covariance.nrows(),
            projection.gram.nrows(),
        );
        let mut sums: Vec<LevelSums> = first
            .iter()
            .map(|_| LevelSums {
                outer: Mat::zeros(size, size),
                fixed: DMatrix::zeros(size, p),
            })
            .collect();
        for l in 0..projection.levels {
            let level = projection.level(l);
            let within = level.within.into_owned();
            let inside = inside(projection, &level);
            let fixed = level.fixed.into_owned();
            let rest = &within - &inside;
            for (&k, sum) in first.iter().zip(&mut sums) {
                let covariance = &covariances[k];
                let (aw, ai) = (covariance.times(&within), covariance.times(&inside));
                let ad = covariance.times(&fixed);
                self.traces[k] += covariance.times(&rest).trace();
                self.derivatives[k] += fixed.tr_mul(&ad);
                for &s in first.iter().take_while(|&&s| s <= k) {
                    let (bw, bi) = (covariances[s].times(&within), covariances[s].times(&inside));
                    let cross = trace(&aw, &bi) + trace(&bw, &ai);
                    self.information[(k, s)] += trace(&aw, &bw) - cross;
                    self.corrections[k * r + s] +=
                        ad.tr_mul(&(&within * covariances[s].times(&fixed)));
                }
                sum.add(&level, covariance, &ad);
            }
        }
        sums
    }

    /// What goes from one level of the first term to another through the tail.
    fn add_first(&mut self, projection: &Projection, first: &[usize], sums: &[LevelSums]) {
        let r = self.traces.len();
        let products: Vec<Mat<f64>> = sums
            .iter()
            .map(|sum| &projection.shrinkage * &sum.outer)
            .collect();
        let shrunken: Vec<DMatrix<f64>> = sums
            .iter()
            .map(|sum| product(&projection.shrinkage, &sum.fixed))
            .collect();
        for (a, &k) in first.iter().enumerate() {
            for (b, &s) in first.iter().enumerate().take(a + 1) {
                self.information[(k, s)] += trace_of_product(&products[a], &products[b]);
                self.corrections[k * r + s] -= sums[a].fixed.tr_mul(&shrunken[b]);
            }
        }
    }

    /// What lies between the first term and the tail's.
    fn add_across(
        &mut self,
        projection: &Projection,
        covariances: &[Covariance],
        first: &[usize],
        sums: &[LevelSums],
        tail: &Tail,
    ) {
        let r = covariances.len();
        if tail.members.is_empty() {
            return;
        }
        for (&k, sum) in first.iter().zip(sums) {
            let half = &sum.outer * &projection.outside;
            for (member, scaled) in tail.members.iter().zip(&tail.fixed) {
                let covariance = &covariances[member.covariance];
                let mut total = 0.0;
                for (a, b) in covariance.ones() {
                    for l in 0..member.term.levels {
                        let at = member.term.start + l * member.term.width;
                        let left = projection.outside.col_as_slice(at + a);
                        total += dot(left, half.col_as_slice(at + b));
                    }
                }
                let s = member.covariance;
                let correction = sum.fixed.tr_mul(&product(&projection.outside, scaled));
                self.information[(k.max(s), k.min(s))] += total;
                let at = k.max(s) * r + k.min(s);
                self.corrections[at] += if k > s {
                    correction
                } else {
                    correction.transpose()
                };
            }
        }
    }

    /// What lies within and between the terms of the tail.
    fn add_tail(&mut self, projection: &Projection, covariances: &[Covariance], tail: &Tail) {
        let r = covariances.len();
        for (member, scaled) in tail.members.iter().zip(&tail.fixed) {
            let (k, covariance) = (member.covariance, &covariances[member.covariance]);
            let mut total = 0.0;
            for (a, b) in covariance.ones() {
                for l in 0..member.term.levels {
                    let at = member.term.start + l * member.term.width;
                    total += tail.kernel[(at + a, at + b)];
                }
            }
            self.traces[k] = total;
            let effects = scaled.rows(0, projection.effects);
            self.derivatives[k] = projection.tail_fixed.tr_mul(&effects);
            let onto = product(&tail.kernel, scaled);
            for (other, scaled) in tail.members.iter().zip(&tail.fixed) {
                let s = other.covariance;
                if s <= k {
                    self.information[(k, s)] = tail.trace(member, other, covariances);
                    self.corrections[k * r + s] = onto.tr_mul(scaled);
                }
            }
        }
    }

    /// Appends the residual variance: G_0 = V - Σ γ_r G_r with P V P = P and γ_0 = 1.
    fn with_residuals(self, phi: &DMatrix<f64>, covariances: &[Covariance], df: f64) -> Self {
        let r = covariances.len();
        let values: Vec<f64> = covariances.iter().map(|c| c.value).collect();
        let mut information = DMatrix::zeros(r + 1, r + 1);
        information
            .view_mut((0, 0), (r, r))
            .copy_from(&self.information);
        let mut derivatives = self.derivatives;
        let mut residual = phi.clone();
        for (derivative, value) in derivatives.iter().zip(&values) {
            residual -= derivative * *value;
        }
        let mut last = df;
        let mut corrections = vec![DMatrix::zeros(phi.nrows(), phi.nrows()); (r + 1) * (r + 1)];
        for k in 0..r {
            let mut trace = self.traces[k];
            for s in 0..r {
                trace -= values[s] * self.information[(k, s)];
                let correction = &self.corrections[k * r + s];
                corrections[k * (r + 1) + s] = correction.clone();
                corrections[k * (r + 1) + r] -= correction * values[s];
                corrections[r * (r + 1) + s] -= correction * values[k];
                corrections[r * (r + 1) + r] += correction * (values[k] * values[s]);
            }
            information[(k, r)] = trace;
            information[(r, k)] = trace;
            last -= values[k] * (self.traces[k] + trace);
        }
        information[(r, r)] = last;
        derivatives.push(residual);
        Moments {
            traces: self.traces,
            information,
            derivatives,
            corrections,
        }
    }

    /// Φ_A = Φ + 2 Φ {Σ W_rs (Q_rs - P_r Φ P_s)} Φ, with W over the parameters that were estimated.
    fn adjust(
        &self,
        phi: &DMatrix<f64>,
        estimated: &[usize],
        variance: f64,
    ) -> Result<KenwardRoger> {
        let r = self.derivatives.len();
        let information = self
            .information
            .select_rows(estimated)
            .select_columns(estimated)
            * 0.5;
        let weights = pseudo_inverse(&information)?;
        let mut correction: DMatrix<f64> = DMatrix::zeros(phi.nrows(), phi.nrows());
        for (a, &k) in estimated.iter().enumerate() {
            for (b, &s) in estimated.iter().enumerate() {
                correction += &self.corrections[k * r + s] * weights[(a, b)];
            }
        }
        let adjusted = linalg::symmetrized(&((phi + correction * 2.0) * variance));
        Ok(KenwardRoger {
            covariance: phi * variance,
            adjusted,
            derivatives: estimated
                .iter()
                .map(|&k| self.derivatives[k].clone())
                .collect(),
            parameter_covariance: weights * (variance * variance),
        })
    }
}

/// Sums over the levels of the first term for one A_r.
struct LevelSums {
    /// Σ_l (Z_lᵀQT)ᵀ A_r (Z_lᵀQT).
    outer: Mat<f64>,
    /// Σ_l (Z_lᵀQT)ᵀ A_r D_l.
    fixed: DMatrix<f64>,
}

impl LevelSums {
    fn add(&mut self, level: &Level, covariance: &Covariance, scaled: &DMatrix<f64>) {
        for (a, b) in covariance.ones() {
            for (column, &j) in level.indices.iter().enumerate() {
                let right = level.across[(b, column)];
                let target = self.outer.col_as_slice_mut(j);
                for (row, &i) in level.indices.iter().enumerate() {
                    target[i] += level.across[(a, row)] * right;
                }
            }
        }
        for (column, &j) in level.indices.iter().enumerate() {
            for k in 0..scaled.ncols() {
                self.fixed[(j, k)] += level.across.column(column).dot(&scaled.column(k));
            }
        }
    }
}

/// A covariance of a term of the tail.
struct Member {
    covariance: usize,
    term: TailTerm,
}

/// What the tail's own terms need.
struct Tail {
    members: Vec<Member>,
    /// TᵀPT.
    kernel: Mat<f64>,
    /// A_r D for each member, as long as the tail.
    fixed: Vec<DMatrix<f64>>,
}

impl Tail {
    fn of(projection: &Projection, covariances: &[Covariance]) -> Self {
        let (size, p) = (projection.gram.nrows(), projection.covariance.nrows());
        let mut members = Vec::new();
        let mut fixed = Vec::new();
        for (k, covariance) in covariances.iter().enumerate() {
            let Some(&term) = projection
                .tail
                .iter()
                .find(|tail| tail.term == covariance.term)
            else {
                continue;
            };
            let mut scaled = DMatrix::zeros(size, p);
            for (a, b) in covariance.ones() {
                for l in 0..term.levels {
                    let at = term.start + l * term.width;
                    scaled
                        .row_mut(at + a)
                        .copy_from(&projection.tail_fixed.row(at + b));
                }
            }
            members.push(Member {
                covariance: k,
                term,
            });
            fixed.push(scaled);
        }
        let kernel = match members.is_empty() {
            true => Mat::zeros(0, 0),
            false => &projection.gram * &projection.outside,
        };
        Tail {
            members,
            kernel,
            fixed,
        }
    }

    /// tr(A_r K A_s K).
    fn trace(&self, one: &Member, other: &Member, covariances: &[Covariance]) -> f64 {
        let mut total = 0.0;
        for (a, b) in covariances[one.covariance].ones() {
            for (c, d) in covariances[other.covariance].ones() {
                for m in 0..other.term.levels {
                    let at = other.term.start + m * other.term.width;
                    let left = &self.kernel.col_as_slice(at + c)[one.term.start..];
                    let right = &self.kernel.col_as_slice(at + d)[one.term.start..];
                    for l in 0..one.term.levels {
                        let row = l * one.term.width;
                        total += left[row + b] * right[row + a];
                    }
                }
            }
        }
        total
    }
}

/// Z_lᵀQT G TᵀQZ_l: what the tail and X take from a level, q × q.
fn inside(projection: &Projection, level: &Level) -> DMatrix<f64> {
    let q = projection.width;
    let mut inside = DMatrix::zeros(q, q);
    for (column, &j) in level.indices.iter().enumerate() {
        let shrinkage = projection.shrinkage.col_as_slice(j);
        for a in 0..q {
            let along: f64 = level
                .indices
                .iter()
                .enumerate()
                .map(|(row, &i)| level.across[(a, row)] * shrinkage[i])
                .sum();
            for b in 0..q {
                inside[(a, b)] += along * level.across[(b, column)];
            }
        }
    }
    linalg::symmetrized(&inside)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// tr(A B).
fn trace(a: &DMatrix<f64>, b: &DMatrix<f64>) -> f64 {
    a.transpose().dot(b)
}

/// tr(A B) of two dense matrices.
fn trace_of_product(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    let turned = a.transpose().to_owned();
    (0..b.ncols())
        .map(|j| dot(turned.col_as_slice(j), b.col_as_slice(j)))
        .sum()
}

/// A B with a narrow B.
fn product(a: &Mat<f64>, b: &DMatrix<f64>) -> DMatrix<f64> {
    let view = faer::MatRef::from_column_major_slice(b.as_slice(), b.nrows(), b.ncols());
    let result = a * view;
    DMatrix::from_fn(a.nrows(), b.ncols(), |i, j| result[(i, j)])
}

/// Inverse of an information matrix in any units, leaving out directions without information.
fn pseudo_inverse(information: &DMatrix<f64>) -> Result<DMatrix<f64>> {
    let r = information.nrows();
    let scale: Vec<f64> = (0..r)
        .map(|k| information[(k, k)].max(f64::MIN_POSITIVE).sqrt().recip())
        .collect();
    let correlation = DMatrix::from_fn(r, r, |i, j| scale[i] * information[(i, j)] * scale[j]);
    if r == 0 {
        return Ok(correlation);
    }
    let (values, vectors) = linalg::symmetric_eigen(&linalg::symmetrized(&correlation))?;
    if values[0].is_nan() || values[0] <= 0.0 {
        return Err(Error::Numerical {
            message: "the data hold no information on the variances".into(),
        });
    }
    let tolerance = 1e-12 * values[0];
    let inverse: Vec<f64> = values
        .iter()
        .map(|&value| {
            if value > tolerance {
                value.recip()
            } else {
                0.0
            }
        })
        .collect();
    let inverse = linalg::from_spectrum(&vectors, &inverse);
    Ok(DMatrix::from_fn(r, r, |i, j| {
        scale[i] * inverse[(i, j)] * scale[j]
    }))
}
