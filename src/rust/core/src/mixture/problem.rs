//! What to fit, whatever the number of components: rows, and what is known of the parameters beforehand.

use nalgebra::{DMatrix, DVector};

use super::data::Data;
use super::known::Known;
use super::missing::Patterns;
use super::model::CovarianceModel;
use super::moments::TotalScatter;
use super::partition::Partition;
use super::prior::Prior;
use super::rules::Rules;
use super::source::Memory;
use super::start::distinct::{distinct_rows, require_distinct_rows};
use super::start::{kmeans_plus_plus, quantile_classes, Criterion, Tree};
use super::stats::Moments;
use crate::error::{Error, Result};
use crate::rng;

/// Conjugate prior as the user gives it: what is `None` takes the default of the covariance model and k.
#[derive(Debug, Clone, Default)]
pub struct PriorChoice {
    pub shrinkage: Option<f64>,
    pub mean: Option<DVector<f64>>,
    pub dof: Option<f64>,
    pub scale: Option<DMatrix<f64>>,
}

/// What is settled before the first E-step.
#[derive(Debug, Clone, Default)]
pub struct Assumptions {
    pub known: Known,
    pub prior: Option<PriorChoice>,
    /// See [`Rules::floor`].
    pub floor: Option<f64>,
    /// Log density of the uniform noise component, if there is one.
    pub noise: Option<f64>,
}

impl Assumptions {
    /// What an M-step for `model` with `k` components must respect, for `rows` rows that scatter as `total`.
    ///
    /// # Errors
    /// [`Error::Argument`]: an assumption that does not fit the model, k or the dimension.
    pub fn rules(
        &self,
        model: CovarianceModel,
        k: usize,
        total: &TotalScatter,
        rows: u64,
    ) -> Result<Rules> {
        let prior = self.prior.as_ref();
        let rules = Rules {
            known: self.known.clone(),
            prior: prior.map(|choice| choice.prior(model, k, total, rows)),
            floor: self.floor,
            noise: self.noise,
            spread: Some((&total.scatter / total.total_weight).into()),
            row_weight: total.total_weight / rows as f64,
        };
        rules.validate(model, k, total.mean.len())?;
        Ok(rules)
    }
}

impl PriorChoice {
    /// The prior, what was left open filled in.
    fn prior(&self, model: CovarianceModel, k: usize, total: &TotalScatter, rows: u64) -> Prior {
        let covariance = &total.scatter / (total.total_weight - 1.0).max(1.0);
        let default = Prior::default_for(model, k, rows, total.mean.clone(), &covariance);
        Prior {
            shrinkage: self.shrinkage.unwrap_or(default.shrinkage),
            mean: self.mean.clone().unwrap_or(default.mean),
            dof: self.dof.unwrap_or(default.dof),
            scale: self.scale.clone().unwrap_or(default.scale),
        }
    }
}

/// Rows that the tree of the hierarchical start is grown on, at most.
const TREE_ROWS: usize = 2000;

/// How partitions of the rows are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The hierarchical partition, then k-means++ ones.
    Both,
    Kmeans,
    Hierarchical,
}

/// Rows and assumptions, with what every fit to them shares.
pub struct Problem<'a> {
    data: &'a Data<'a>,
    assumptions: Assumptions,
    patterns: Option<Patterns>,
    /// The rows with column means in the holes, where there are any: for starts and yardsticks only.
    filled: Option<Vec<f64>>,
    total: TotalScatter,
    threads: usize,
}

impl<'a> Problem<'a> {
    /// Looks at the rows once: missingness patterns, mean and scatter.
    ///
    /// # Errors
    /// A row without any value.
    pub fn new(data: &'a Data<'a>, assumptions: Assumptions, threads: usize) -> Result<Self> {
        let missing = (0..data.columns()).any(|j| data.column(j).iter().any(|x| x.is_nan()));
        let patterns = missing.then(|| observed_patterns(data)).transpose()?;
        let filled = missing.then(|| fill_with_means(data));
        let total = match &filled {
            None => TotalScatter::of(data),
            Some(cells) => TotalScatter::of(&Data::new(
                cells,
                data.rows(),
                data.columns(),
                data.weights(),
            )?),
        };
        Ok(Problem {
            data,
            assumptions,
            patterns,
            filled,
            total,
            threads: threads.max(1),
        })
    }

    /// The rows as given.
    pub fn data(&self) -> &'a Data<'a> {
        self.data
    }

    /// The rows without holes.
    pub fn filled(&self) -> Result<Data<'_>> {
        match &self.filled {
            None => Ok(*self.data),
            Some(cells) => {
                let data = self.data;
                Data::new(cells, data.rows(), data.columns(), data.weights())
            }
        }
    }

    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Log density of the noise component, if there is one.
    pub fn noise(&self) -> Option<f64> {
        self.assumptions.noise
    }

    /// The rows as a source of statistics.
    ///
    /// First moments are enough for pooled models when every row belongs to some component for sure.
    pub fn memory(&self) -> Memory<'_> {
        let first_moments = self.patterns.is_none()
            && self.assumptions.noise.is_none()
            && self.assumptions.known.means.is_none();
        Memory {
            data: self.data,
            patterns: self.patterns.as_ref(),
            total: first_moments.then_some(&self.total),
            threads: self.threads,
        }
    }

    /// What an M-step for `model` with `k` components must respect.
    ///
    /// # Errors
    /// An assumption that does not fit the model, k or the dimension.
    pub fn rules(&self, model: CovarianceModel, k: usize) -> Result<Rules> {
        self.assumptions
            .rules(model, k, &self.total, self.data.rows() as u64)
    }

    /// Moments of at most `count` different partitions into each of `ks` parts.
    ///
    /// The s-th k-means++ partition into k parts depends on `seed`, k and s alone.
    ///
    /// A number of parts above the number of distinct rows has none.
    ///
    /// # Errors
    /// [`Error::Argument`] on `k` when no number of parts has any.
    pub fn partitions(
        &self,
        ks: &[usize],
        method: Method,
        count: usize,
        seed: u64,
    ) -> Result<Vec<Vec<Moments>>> {
        let data = self.filled()?;
        let most = ks.iter().copied().max().unwrap_or(1);
        let distinct = distinct_rows(&data, most).len();
        require_distinct_rows(&data, ks.iter().copied().min().unwrap_or(1))?;
        let tree = match method {
            Method::Kmeans => None,
            _ => {
                let stream = &mut rng::stream(seed, 0);
                Some(Tree::grow(&data, most.min(distinct), TREE_ROWS, stream)?)
            }
        };
        let mut all = Vec::with_capacity(ks.len());
        for &k in ks {
            let mut starts = Partitions::default();
            if k <= distinct {
                if let Some(tree) = &tree {
                    let rows = tree.sample().data()?;
                    for criterion in [Criterion::UnequalEllipsoids, Criterion::EqualSpheres] {
                        starts.push(k, tree.sample_labels(k, criterion)?, &rows);
                    }
                    if rows.columns() == 1 {
                        starts.push(k, quantile_classes(&rows, k), &rows);
                    }
                }
                let random = match method {
                    Method::Hierarchical => 0,
                    _ if k == 1 => 1,
                    _ => count.saturating_sub(starts.moments.len()),
                };
                for start in 0..random {
                    let stream = (k as u64) << 32 | (start as u64 + 1);
                    let labels = kmeans_plus_plus(&data, k, &mut rng::stream(seed, stream))?;
                    starts.push(k, labels, &data);
                }
            }
            all.push(starts.moments);
        }
        Ok(all)
    }
}

/// Moments of different partitions into the same number of parts; labels would take the memory of n rows each.
#[derive(Default)]
struct Partitions {
    moments: Vec<Moments>,
}

impl Partitions {
    /// Keeps the moments of `rows` in the parts that `labels` name, if these parts are new.
    fn push(&mut self, k: usize, mut labels: Vec<u32>, rows: &Data) {
        number_by_appearance(k, &mut labels);
        let moments = Partition { k, labels }.moments(rows);
        if !self.moments.contains(&moments) {
            self.moments.push(moments);
        }
    }
}

/// Renames labels 0..k so that the first row has 0, the first row of another part 1, and so on.
fn number_by_appearance(k: usize, labels: &mut [u32]) {
    let mut names = vec![None; k];
    let mut next = 0;
    for label in labels {
        *label = *names[*label as usize].get_or_insert_with(|| {
            next += 1;
            next - 1
        });
    }
}

/// The missingness patterns, none of them empty.
fn observed_patterns(data: &Data) -> Result<Patterns> {
    let patterns = Patterns::new(data);
    if let Some(&row) = patterns.empty_rows().first() {
        return Err(Error::Argument {
            argument: "x",
            message: format!("must have a value in every row: row {} has none", row + 1),
        });
    }
    Ok(patterns)
}

/// A copy of the rows with the mean of the observed cells of its column in every hole.
fn fill_with_means(data: &Data) -> Vec<f64> {
    let mut cells = Vec::with_capacity(data.rows() * data.columns());
    for j in 0..data.columns() {
        let column = data.column(j);
        let observed = || column.iter().filter(|x| !x.is_nan());
        let count = observed().count().max(1) as f64;
        let rough = observed().map(|x| x / count).sum::<f64>();
        let mean = rough + observed().map(|x| (x - rough) / count).sum::<f64>();
        cells.extend(column.iter().map(|&x| if x.is_nan() { mean } else { x }));
    }
    cells
}
