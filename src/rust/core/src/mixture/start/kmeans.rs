//! k-means in standardised columns: greedy k-means++ seeds, then Lloyd steps.
//!
//! Seeds: Arthur & Vassilvitskii (2007), "k-means++: the advantages of careful seeding"; of several candidates
//! the one that leaves the smallest sum of squares is kept, as in their section 5.

use std::ops::Range;

use rand::{Rng, RngExt};

use super::distinct::{has_weight, require_distinct_rows};
use super::sample::Sample;
use super::scale::ColumnScale;
use crate::error::Result;
use crate::mixture::data::Data;
use crate::shard::BLOCK_ROWS;

/// Seeds are sought among this many rows, or [`SAMPLE_ROWS_PER_CLUSTER`] for each cluster if that is more.
const SAMPLE_ROWS: usize = 2000;
const SAMPLE_ROWS_PER_CLUSTER: usize = 100;

/// Lloyd steps where the rows are few; they end sooner when no label changes.
const SAMPLE_STEPS: usize = 50;

/// Lloyd steps over all rows when the centres come from a sample.
const FULL_STEPS: usize = 2;

/// Labels 0..k of all rows by k-means: greedy k-means++ on a sample, Lloyd steps there, then on all rows.
///
/// Distances are Euclidean in columns scaled to unit variance; row weights count as repeated rows; a missing
/// cell adds nothing. No label is empty. The answer depends on `rng` alone. O(n d k).
///
/// # Errors
/// [`Error::Argument`](crate::Error::Argument) on `k` when there are fewer distinct rows.
pub fn kmeans_plus_plus<R: Rng>(data: &Data, k: usize, rng: &mut R) -> Result<Vec<u32>> {
    require_distinct_rows(data, k)?;
    let candidates = 2 + k.ilog2() as usize;
    let scale = ColumnScale::of(data);
    let sample = seeding_sample(data, k, rng);
    let rows = sample.data()?;
    let mut centres = seeds(&rows, &scale, k, candidates, rng);
    let labels = lloyd(&rows, &scale, &mut centres, SAMPLE_STEPS);
    if rows.rows() == data.rows() {
        return Ok(labels);
    }
    Ok(lloyd(data, &scale, &mut centres, FULL_STEPS))
}

/// Labels 0..k of all rows: each row goes to the nearest of k plain k-means++ seeds, with no Lloyd step.
///
/// Cheap and diverse: meant for many short EM runs of which the best goes on (Biernacki, Celeux & Govaert
/// 2003, "em-EM"). Give start number s its own [`stream`](crate::rng::stream).
///
/// # Errors
/// [`Error::Argument`](crate::Error::Argument) on `k` when there are fewer distinct rows.
pub fn random_start<R: Rng>(data: &Data, k: usize, rng: &mut R) -> Result<Vec<u32>> {
    require_distinct_rows(data, k)?;
    let scale = ColumnScale::of(data);
    let sample = seeding_sample(data, k, rng);
    let mut centres = seeds(&sample.data()?, &scale, k, 1, rng);
    Ok(lloyd(data, &scale, &mut centres, 0))
}

fn seeding_sample<R: Rng>(data: &Data, k: usize, rng: &mut R) -> Sample {
    let size = SAMPLE_ROWS.max(SAMPLE_ROWS_PER_CLUSTER * k);
    Sample::draw(data, size, k, |_| true, rng)
}

/// k centres in standardised columns, one after the other.
pub(super) struct Centres {
    columns: usize,
    cells: Vec<f64>,
}

impl Centres {
    /// Means of the observed cells of every label's rows, labels 0..k.
    pub fn of(data: &Data, scale: &ColumnScale, labels: &[u32], k: usize) -> Self {
        let mut centres = Centres {
            columns: data.columns(),
            cells: vec![0.0; k * data.columns()],
        };
        move_to_means(data, scale, labels, &mut centres);
        centres
    }

    /// Row `i` as a centre; a missing cell becomes the column's mean.
    fn push_row(&mut self, data: &Data, scale: &ColumnScale, i: usize) {
        self.cells.extend(row(data, scale, i));
    }

    fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.cells.chunks_exact(self.columns)
    }

    fn get(&self, label: u32) -> &[f64] {
        let start = label as usize * self.columns;
        &self.cells[start..start + self.columns]
    }

    fn len(&self) -> usize {
        self.cells.len() / self.columns
    }
}

/// Row `i` in standardised columns, 0 where it is missing.
fn row<'a>(data: &'a Data, scale: &'a ColumnScale, i: usize) -> impl Iterator<Item = f64> + 'a {
    (0..data.columns()).map(move |j| {
        let z = scale.standardise(j, data.column(j)[i]);
        if z.is_nan() {
            0.0
        } else {
            z
        }
    })
}

/// k-means++: a row becomes a centre with probability proportional to w D², D its distance to the nearest centre.
fn seeds<R: Rng>(
    data: &Data,
    scale: &ColumnScale,
    k: usize,
    candidates: usize,
    rng: &mut R,
) -> Centres {
    let n = data.rows();
    let weight = |i: usize| data.weights().map_or(1.0, |weights| weights[i]);
    let mut centres = Centres {
        columns: data.columns(),
        cells: Vec::with_capacity(k * data.columns()),
    };
    let mut mass: Vec<f64> = (0..n).map(weight).collect();
    let mut nearest = vec![f64::INFINITY; n];
    while centres.len() < k {
        let mut best: Option<(f64, usize, Vec<f64>)> = None;
        for _ in 0..if centres.len() == 0 { 1 } else { candidates } {
            let i = draw(&mass, rng);
            let centre: Vec<f64> = row(data, scale, i).collect();
            let distances = nearer(data, scale, &centre, &nearest);
            let left = (0..n).map(|i| weight(i) * distances[i]).sum();
            if best.as_ref().is_none_or(|(least, ..)| left < *least) {
                best = Some((left, i, distances));
            }
        }
        let Some((left, i, distances)) = best else {
            break;
        };
        centres.push_row(data, scale, i);
        nearest = distances;
        // Rows can be distinct and yet at distance zero (missing cells): then any row will do.
        for (i, mass) in mass.iter_mut().enumerate() {
            *mass = weight(i) * if left > 0.0 { nearest[i] } else { 1.0 };
        }
    }
    centres
}

/// Index drawn with probability proportional to `mass`, by inversion of the cumulative sum.
fn draw<R: Rng>(mass: &[f64], rng: &mut R) -> usize {
    let mut left = rng.random::<f64>() * mass.iter().sum::<f64>();
    for (i, &m) in mass.iter().enumerate() {
        left -= m;
        if left < 0.0 {
            return i;
        }
    }
    // Rounding can leave a crumb: the last row that could be drawn.
    mass.iter().rposition(|&m| m > 0.0).unwrap_or(0)
}

/// min(`nearest`, squared distance to `centre`) of every row.
fn nearer(data: &Data, scale: &ColumnScale, centre: &[f64], nearest: &[f64]) -> Vec<f64> {
    let mut distances = vec![0.0; data.rows()];
    for (j, c) in centre.iter().enumerate() {
        for (distance, &x) in distances.iter_mut().zip(data.column(j)) {
            *distance += squared_difference(scale.standardise(j, x), *c);
        }
    }
    for (distance, &least) in distances.iter_mut().zip(nearest) {
        *distance = distance.min(least);
    }
    distances
}

/// (z − c)², 0 where z is missing.
fn squared_difference(z: f64, c: f64) -> f64 {
    let difference = if z.is_nan() { 0.0 } else { z - c };
    difference * difference
}

/// Up to `steps` Lloyd steps (each moves the centres to the means of their rows), then the labels.
fn lloyd(data: &Data, scale: &ColumnScale, centres: &mut Centres, steps: usize) -> Vec<u32> {
    let mut labels = assign(data, scale, centres);
    fill_empty(data, scale, centres, &mut labels);
    for _ in 0..steps {
        move_to_means(data, scale, &labels, centres);
        let mut next = assign(data, scale, centres);
        fill_empty(data, scale, centres, &mut next);
        let settled = next == labels;
        labels = next;
        if settled {
            break;
        }
    }
    labels
}

/// Label of the nearest centre of every row; the first one among equals.
pub(super) fn assign(data: &Data, scale: &ColumnScale, centres: &Centres) -> Vec<u32> {
    let n = data.rows();
    let mut labels = vec![0; n];
    let mut z = vec![0.0; BLOCK_ROWS * data.columns()];
    for start in (0..n).step_by(BLOCK_ROWS) {
        let rows = start..(start + BLOCK_ROWS).min(n);
        standardise_block(data, scale, rows.clone(), &mut z);
        nearest_centres(&z, centres, &mut labels[rows]);
    }
    labels
}

/// Rows of a block in standardised columns: column j fills `z` from j · BLOCK_ROWS.
fn standardise_block(data: &Data, scale: &ColumnScale, rows: Range<usize>, z: &mut [f64]) {
    for (j, z) in z.chunks_exact_mut(BLOCK_ROWS).enumerate() {
        for (z, &x) in z.iter_mut().zip(&data.column(j)[rows.clone()]) {
            *z = scale.standardise(j, x);
        }
    }
}

fn nearest_centres(z: &[f64], centres: &Centres, labels: &mut [u32]) {
    let mut best = [f64::INFINITY; BLOCK_ROWS];
    let mut label_of = [0_u32; BLOCK_ROWS];
    for (label, centre) in (0..).zip(centres.iter()) {
        let mut distances = [0.0; BLOCK_ROWS];
        for (z, &c) in z.chunks_exact(BLOCK_ROWS).zip(centre) {
            for (distance, &z) in distances.iter_mut().zip(z) {
                *distance += squared_difference(z, c);
            }
        }
        for i in 0..BLOCK_ROWS {
            if distances[i] < best[i] {
                best[i] = distances[i];
                label_of[i] = label;
            }
        }
    }
    labels.copy_from_slice(&label_of[..labels.len()]);
}

/// Weighted means of the observed cells of every label's rows; a centre without any keeps its place.
fn move_to_means(data: &Data, scale: &ColumnScale, labels: &[u32], centres: &mut Centres) {
    let (d, k) = (centres.columns, centres.len());
    let mut sums = vec![0.0; k];
    let mut weights = vec![0.0; k];
    for j in 0..d {
        sums.fill(0.0);
        weights.fill(0.0);
        for (i, (&label, &x)) in labels.iter().zip(data.column(j)).enumerate() {
            if !x.is_nan() {
                let weight = data.weights().map_or(1.0, |weights| weights[i]);
                sums[label as usize] += weight * scale.standardise(j, x);
                weights[label as usize] += weight;
            }
        }
        for label in 0..k {
            if weights[label] > 0.0 {
                centres.cells[label * d + j] = sums[label] / weights[label];
            }
        }
    }
}

/// Gives every label without a row the row farthest from its own centre, among labels with rows to spare.
fn fill_empty(data: &Data, scale: &ColumnScale, centres: &Centres, labels: &mut [u32]) {
    let mut counts = vec![0_usize; centres.len()];
    for (i, &label) in labels.iter().enumerate() {
        counts[label as usize] += usize::from(has_weight(data, i));
    }
    for empty in 0..counts.len() {
        if counts[empty] > 0 {
            continue;
        }
        let mut farthest: Option<(f64, usize)> = None;
        for (i, &label) in labels.iter().enumerate() {
            if counts[label as usize] < 2 || !has_weight(data, i) {
                continue;
            }
            let centre = centres.get(label);
            let distance = (0..data.columns())
                .map(|j| squared_difference(scale.standardise(j, data.column(j)[i]), centre[j]))
                .sum();
            if farthest.is_none_or(|(most, _)| distance > most) {
                farthest = Some((distance, i));
            }
        }
        if let Some((_, i)) = farthest {
            counts[labels[i] as usize] -= 1;
            counts[empty] += 1;
            labels[i] = empty as u32;
        }
    }
}
