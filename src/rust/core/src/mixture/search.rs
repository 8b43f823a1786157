//! Many fits: numbers of components × covariance models × starts, the best kept, all counted.
//!
//! For every k the starts are partitions of the rows, shared by all models. Each cell (k, model) gives the first
//! starts a few plain EM steps (short EM: Biernacki, Celeux & Govaert 2003), runs the best of them to convergence,
//! and is compared with the models nested in it: a model can do no worse than its special cases, so where it
//! did, it goes on from theirs. The cell that the criterion selects is then run from *every* start to full
//! precision, so that the fit can say how many starts found its maximum.

use super::criteria::{Criteria, Criterion};
use super::degeneracy::thin_components;
use super::fit::{Expectation, Fit, GaussianMixture, StartReport};
use super::maximize::maximize;
use super::model::{CovarianceModel, Mixture, Noise};
use super::problem::Problem;
use super::rules::Rules;
use super::saddle::{coinciding, saddle_status, Stationarity};
use super::source::{Memory, Source};
use super::stats::Moments;
use crate::em::{Flow, Model, Outcome, Progress, Settings, Status};
use crate::error::{Error, Result};
use crate::tasks::{self, Stop};

/// Plain EM steps that every start of a cell is given before the best go on.
const SHORT_ITERATIONS: usize = 5;

/// Starts of a cell that go on to convergence: the tree's, and the best of the others after the short runs.
const FINALISTS: usize = 2;

/// Distance to the limit (log-likelihood units) at which a cell that is only compared may rest.
const COMPARISON_TOLERANCE: f64 = 1e-4;

/// Starts of a cell that is only compared, at most: the trees' and the first k-means++ ones.
const COMPARED_STARTS: usize = 5;

/// How many times its estimated distance to the limit a run is given credit for, before it counts as beaten.
const HEADWAY: f64 = 3.0;

/// Gain over the leader that is worth running for.
const SAME_SUMMIT: f64 = 1e-3;

/// Mixing weight that a noise component starts with.
const NOISE_START: f64 = 0.05;

/// Rows × columns below which cells, not rows, are shared among threads.
const SMALL_DATA: usize = 200_000;

/// What to fit, and from where.
pub struct Search<'a> {
    pub problem: &'a Problem<'a>,
    pub models: Vec<CovarianceModel>,
    pub starts: Starts,
    /// Whether a run that stopped at a saddle goes on from beside it; a start that the user chose should not.
    pub leave_saddles: bool,
    pub criterion: Criterion,
    pub settings: Settings,
}

/// Where the cells start.
pub enum Starts {
    /// For every number of components, the moments of one or more partitions of the rows.
    Partitions(Vec<PartitionsOf>),
    /// One set of parameters, for any covariance model.
    Parameters(Mixture),
}

/// Partitions of the rows into `k` parts, as moments.
pub struct PartitionsOf {
    pub k: usize,
    pub moments: Vec<Moments>,
}

/// One cell of the table k × model.
#[derive(Debug, Clone)]
pub struct Cell {
    pub k: usize,
    pub model: CovarianceModel,
    /// What was reached; `None` when no start led to a sound solution.
    pub criteria: Option<Criteria>,
    pub status: Status,
    mixture: Option<Mixture>,
}

impl Cell {
    fn without_solution(k: usize, model: CovarianceModel, error: &Error) -> Self {
        Cell {
            k,
            model,
            criteria: None,
            status: Status::of(error),
            mixture: None,
        }
    }
}

/// All cells, and the selected one run from every start.
pub struct Found {
    pub table: Vec<Cell>,
    /// `None` when no cell has a solution.
    pub fit: Option<Fit>,
}

/// Progress of a search: cells done of all, or the final run's own.
#[derive(Debug, Clone, Copy)]
pub struct SearchProgress {
    pub done: usize,
    pub total: usize,
}

impl Search<'_> {
    /// Fits every cell, selects by the criterion, and runs the selected cell from every start.
    ///
    /// An interrupt ends the search with the best of the cells that were done. A cell without a solution says
    /// why in its status; when no cell has one, there is a table and no fit.
    ///
    /// # Errors
    /// Misuse that every cell would share; [`Error::Interrupted`] when stopped before the first solution.
    pub fn run(&self, monitor: &mut dyn FnMut(&SearchProgress) -> Flow) -> Result<Found> {
        let columns = self.component_counts().len();
        let compared = if columns * self.models.len() > 1 {
            columns
        } else {
            0
        };
        let total = compared + 1;
        let mut interrupted = false;
        let mut watch = |done: usize| {
            interrupted |= monitor(&SearchProgress { done, total }) == Flow::Stop;
            !interrupted
        };
        // The largest k takes longest, so it goes first.
        let cells = tasks::run(
            compared,
            self.cell_threads(),
            |task, stop| self.fit_column(columns - 1 - task, stop),
            &mut watch,
        );
        let mut table: Vec<Cell> = cells.into_iter().rev().flatten().flatten().collect();
        let (k, model, reached) = match self.select(&table) {
            Some(cell) => (cell.k, cell.model, cell.mixture.clone()),
            None if compared > 0 => return self.without_fit(table),
            None => (self.component_counts()[0], self.models[0], None),
        };
        let polished = tasks::run(
            1,
            1,
            |_, stop| self.polish(k, model, reached.as_ref(), stop),
            &mut |done| watch(compared + done),
        );
        let fit = match polished.into_iter().flatten().next() {
            Some(Ok(fit)) => fit,
            Some(Err(error @ (Error::Degenerate { .. } | Error::Numerical { .. }))) => {
                table.push(Cell::without_solution(k, model, &error));
                return self.without_fit(table);
            }
            Some(Err(error)) => return Err(error),
            None => return Err(Error::Interrupted),
        };
        let cell = Cell {
            k,
            model,
            criteria: Some(fit.criteria.clone()),
            status: fit.status.clone(),
            mixture: None,
        };
        match table
            .iter_mut()
            .find(|old| (old.k, old.model) == (k, model))
        {
            Some(old) => *old = cell,
            None => table.push(cell),
        }
        Ok(Found {
            table,
            fit: Some(fit),
        })
    }

    fn without_fit(&self, table: Vec<Cell>) -> Result<Found> {
        if table.iter().any(|cell| cell.status != Status::Interrupted) {
            Ok(Found { table, fit: None })
        } else {
            Err(Error::Interrupted)
        }
    }

    fn component_counts(&self) -> Vec<usize> {
        match &self.starts {
            Starts::Partitions(partitions) => partitions.iter().map(|p| p.k).collect(),
            Starts::Parameters(mixture) => vec![mixture.components()],
        }
    }

    fn cell_threads(&self) -> usize {
        if self.is_small() {
            self.problem.threads()
        } else {
            1
        }
    }

    fn is_small(&self) -> bool {
        let data = self.problem.data();
        data.rows() * data.columns() < SMALL_DATA
    }

    /// All models at the `index`-th number of components.
    fn fit_column(&self, index: usize, stop: &Stop) -> Vec<Cell> {
        let mut cells: Vec<Cell> = Vec::with_capacity(self.models.len());
        for &model in &self.models {
            if stop.is_raised() {
                break;
            }
            let cell = self.fit_cell(index, model, &cells, stop);
            cells.push(cell);
        }
        cells
    }

    /// One cell, whose failure is part of the answer.
    fn fit_cell(&self, index: usize, model: CovarianceModel, nested: &[Cell], stop: &Stop) -> Cell {
        let k = self.component_counts()[index];
        match self.best_run(index, model, nested, stop) {
            Ok((run, criteria)) => Cell {
                k,
                model,
                criteria: (!is_degenerate(&run.status)).then_some(criteria),
                status: run.status,
                mixture: Some(run.params),
            },
            Err(error) => Cell::without_solution(k, model, &error),
        }
    }

    /// The best of a few starts, and of the solutions of the nested models.
    fn best_run(
        &self,
        index: usize,
        model: CovarianceModel,
        nested: &[Cell],
        stop: &Stop,
    ) -> Result<(Run, Criteria)> {
        let rules = self.problem.rules(model, self.component_counts()[index])?;
        let mut failure = no_partition();
        let mut short: Vec<(f64, Mixture)> = Vec::new();
        let starts = self.start_mixtures(index, model, &rules);
        for start in starts.into_iter().take(COMPARED_STARTS) {
            match start.and_then(|start| self.short_em(start, &rules)) {
                Ok(reached) => short.push(reached),
                Err(error) => failure = error,
            }
            if stop.is_raised() {
                return Err(Error::Interrupted);
            }
        }
        // The first start is the tree's, which sees more of the data than its first steps show.
        let (first, mut others) = (short.first().cloned(), short);
        others.drain(..others.len().min(1));
        others.sort_by(|a, b| b.0.total_cmp(&a.0));
        let settings = self.comparison_settings();
        let mut best: Option<Run> = None;
        for (_, start) in first.into_iter().chain(others).take(FINALISTS) {
            let leader = best.as_ref().map(|run| run.objective);
            match self.race_from(start, &rules, &settings, leader, stop) {
                Ok(run) => keep_better(&mut best, run),
                Err(error) => failure = error,
            }
        }
        if let Some(start) = better_special_case(model, nested, &best) {
            if let Ok(run) = self.run_from(start, &rules, &settings, stop) {
                keep_better(&mut best, run);
            }
        }
        let best = best.ok_or(failure)?;
        let criteria = self.criteria(&best, &rules)?;
        Ok((best, criteria))
    }

    /// One starting mixture per start of the `index`-th number of components.
    fn start_mixtures(
        &self,
        index: usize,
        model: CovarianceModel,
        rules: &Rules,
    ) -> Vec<Result<Mixture>> {
        match &self.starts {
            Starts::Parameters(mixture) => vec![Ok(mixture.as_member(model))],
            Starts::Partitions(partitions) => partitions[index]
                .moments
                .iter()
                .map(|moments| {
                    let mut mixture = maximize(moments, None, model, rules)?;
                    if let (Some(noise), false) = (&mut mixture.noise, moments.noise_count > 0.0) {
                        spread_noise(noise, &mut mixture.weights);
                    }
                    Ok(mixture)
                })
                .collect(),
        }
    }

    /// A few plain EM steps: the objective before the last, and what the last led to.
    fn short_em(&self, start: Mixture, rules: &Rules) -> Result<(f64, Mixture)> {
        let mut model = self.em_model(start.model, rules);
        let (mut reached, mut mixture) = (f64::NEG_INFINITY, start);
        for _ in 0..SHORT_ITERATIONS {
            let expectation = model.expect(&mixture)?;
            reached = model.objective(&expectation);
            mixture = model.maximize(&expectation, &mixture)?;
        }
        Ok((reached, mixture))
    }

    fn run_from(
        &self,
        start: Mixture,
        rules: &Rules,
        settings: &Settings,
        stop: &Stop,
    ) -> Result<Run> {
        self.race_from(start, rules, settings, None, stop)
    }

    /// Runs EM from `start`, and gives up as interrupted when it will end no higher than `leader`.
    fn race_from(
        &self,
        start: Mixture,
        rules: &Rules,
        settings: &Settings,
        leader: Option<f64>,
        stop: &Stop,
    ) -> Result<Run> {
        let mut model = self.em_model(start.model, rules);
        model.run(start, settings, &mut |progress: &Progress| {
            let lost = leader.is_some_and(|leader| {
                progress.objective < leader
                    && progress.objective + HEADWAY * progress.distance < leader + SAME_SUMMIT
            });
            if lost || stop.is_raised() {
                Flow::Stop
            } else {
                Flow::Continue
            }
        })
    }

    fn em_model<'r>(
        &self,
        model: CovarianceModel,
        rules: &'r Rules,
    ) -> GaussianMixture<'r, Memory<'_>> {
        let mut source = self.problem.memory();
        if self.is_small() {
            source.threads = 1;
        }
        GaussianMixture {
            source,
            model,
            rules,
        }
    }

    fn comparison_settings(&self) -> Settings {
        Settings {
            tol: self.settings.tol.max(COMPARISON_TOLERANCE),
            bounds: false,
            ..self.settings.clone()
        }
    }

    /// The cell with the best criterion.
    fn select<'c>(&self, table: &'c [Cell]) -> Option<&'c Cell> {
        table
            .iter()
            .filter_map(|cell| Some((cell.criteria.as_ref()?.value(self.criterion), cell)))
            .filter(|(value, _)| value.is_finite())
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, cell)| cell)
    }

    /// One cell from every start, and from the solution that the comparison reached, to full precision.
    fn polish(
        &self,
        k: usize,
        model: CovarianceModel,
        reached: Option<&Mixture>,
        stop: &Stop,
    ) -> Result<Fit> {
        let rules = self.problem.rules(model, k)?;
        let index = self
            .component_counts()
            .iter()
            .position(|&c| c == k)
            .unwrap_or(0);
        let mut starts = Vec::new();
        let mut best: Option<Run> = None;
        let mut failure = Error::Interrupted;
        for start in self.start_mixtures(index, model, &rules) {
            let run = start.and_then(|s| self.run_from(s, &rules, &self.settings, stop));
            starts.push(StartReport::of(&run));
            match run {
                Ok(run) => keep_better(&mut best, run),
                Err(error) => failure = error,
            }
            if stop.is_raised() {
                break;
            }
        }
        if let Some(reached) = reached {
            let run = self.run_from(reached.clone(), &rules, &self.settings, stop)?;
            keep_better(&mut best, run);
        }
        let mut best = best.ok_or(failure)?;
        if best.status == Status::Converged {
            self.examine(&mut best, &rules, stop)?;
        }
        let criteria = self.criteria(&best, &rules)?;
        let thin = thin_components(&best.params, &best.stats.moments, &rules);
        Ok(Fit {
            thin,
            ..Fit::new(best, criteria, starts)
        })
    }

    /// Whether `run` stopped at a maximum: goes on from beside a saddle, or says so in the status.
    fn examine(&self, run: &mut Run, rules: &Rules, stop: &Stop) -> Result<()> {
        if rules.prior.is_some() || rules.floor.is_some() {
            // The maximum of another objective: the likelihood may well rise away from it.
            if let Some(status) = saddle_status(false, &coinciding(&run.params)?) {
                run.status = status;
            }
            return Ok(());
        }
        let mut memory = Memory {
            total: None, // second moments are needed in every direction
            ..self.problem.memory()
        };
        let mut expect = |mixture: &Mixture| {
            if stop.is_raised() {
                return Err(Error::Interrupted);
            }
            memory.expect(mixture)
        };
        let point = match Stationarity::new(&run.params, &rules.known, &mut expect) {
            Ok(point) => point,
            // Too many parameters to examine: the fit stands as it is.
            Err(_) => return Ok(()),
        };
        // The information is that of the likelihood, which may rise at a posterior mode or at a floor.
        let free = rules.prior.is_none() && rules.floor.is_none();
        let rises = free && point.is_saddle();
        let Some(status) = saddle_status(rises, &point.coinciding) else {
            return Ok(());
        };
        run.status = status;
        if let (true, Some(restart)) = (self.leave_saddles, point.restart) {
            let beside = self.run_from(restart.mixture, rules, &self.settings, stop)?;
            if beside.objective > run.objective + COMPARISON_TOLERANCE {
                *run = beside;
            }
        }
        Ok(())
    }

    fn criteria(&self, run: &Run, rules: &Rules) -> Result<Criteria> {
        let stats = &run.stats.stats;
        let memory = self.problem.memory();
        Criteria::of(
            &run.params,
            stats.log_lik,
            stats.total_weight,
            &rules.known,
            |bic| memory.icl(&run.params, bic),
        )
    }
}

/// Why a number of components has no start.
fn no_partition() -> Error {
    Error::Degenerate {
        component: 0,
        message: "there are more components than distinct rows".into(),
    }
}

/// The best solution of a model nested in `model` that beats `best`, as a member of `model`.
fn better_special_case(
    model: CovarianceModel,
    nested: &[Cell],
    best: &Option<Run>,
) -> Option<Mixture> {
    let reached = best
        .as_ref()
        .map_or(f64::NEG_INFINITY, |run| run.stats.stats.log_lik);
    nested
        .iter()
        .filter(|cell| model.contains(cell.model) && cell.status == Status::Converged)
        .filter_map(|cell| Some((cell.criteria.as_ref()?.log_lik, cell.mixture.as_ref()?)))
        .filter(|(log_lik, _)| *log_lik > reached + COMPARISON_TOLERANCE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, mixture)| Mixture {
            model,
            ..mixture.clone()
        })
}

/// A finished run of one cell.
type Run = Outcome<Mixture, Expectation>;

/// A degenerate run is on its way to an infinite likelihood: its criteria mean nothing.
fn is_degenerate(status: &Status) -> bool {
    matches!(status, Status::Degenerate { .. })
}

/// Keeps the run with the larger objective; a degenerate run never replaces a sound one.
fn keep_better(best: &mut Option<Run>, run: Run) {
    let rank = |run: &Run| (!is_degenerate(&run.status), run.objective);
    let better = best.as_ref().is_none_or(|best| {
        let (old, new) = (rank(best), rank(&run));
        (new.0, new.1) > (old.0, old.1)
    });
    if better {
        *best = Some(run);
    }
}

/// Gives the noise component a small weight taken from all others.
fn spread_noise(noise: &mut Noise, weights: &mut [f64]) {
    let total: f64 = weights.iter().sum();
    noise.weight = NOISE_START;
    for weight in weights {
        *weight *= (1.0 - NOISE_START) / total;
    }
}
