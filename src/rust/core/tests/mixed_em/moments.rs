//! E and M steps against the definition: dense matrices with a row per observation.

use ember_core::em::Model as _;
use ember_core::mixed::criterion::Problem;
use ember_core::mixed::cross_products::{cross_products, CrossProducts};
use ember_core::mixed::em::MixedModel;
use ember_core::mixed::maximize::Variances;
use ember_core::nalgebra::{DMatrix, DVector};

use crate::models::{models, Model};

/// y, X and Z with their weights, and the posterior of (u, β) at some variances.
struct Dense {
    y: DVector<f64>,
    x: DMatrix<f64>,
    z: Vec<DMatrix<f64>>,
    weights: DVector<f64>,
    group: Vec<usize>,
    sigma: f64,
    ratios: Vec<f64>,
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
}

impl Dense {
    /// Precision of each row over that of a row of weight one in the first group.
    fn precisions(&self) -> DVector<f64> {
        DVector::from_fn(self.y.len(), |i, _| {
            self.weights[i] / self.ratios[self.group[i]].powi(2)
        })
    }

    fn new(model: &Model, statistics: &CrossProducts, reml: bool, variances: &Variances) -> Self {
        let n = model.y.len();
        let kept = statistics.kept();
        let z = model.terms.iter().map(|term| {
            let q = term.columns.len();
            let mut z = DMatrix::zeros(n, q * term.levels);
            for i in 0..n {
                for (a, column) in term.columns.iter().enumerate() {
                    let value = column.get(i).copied().unwrap_or(1.0);
                    z[(i, (term.codes[i] as usize - 1) * q + a)] = value;
                }
            }
            z
        });
        let offset = |i| model.offset.as_ref().map_or(0.0, |o: &Vec<f64>| o[i]);
        let mut dense = Dense {
            y: DVector::from_fn(n, |i, _| model.y[i] - offset(i)),
            x: DMatrix::from_fn(n, kept.len(), |i, j| model.x[kept[j] * n + i]),
            z: z.collect(),
            weights: DVector::from_fn(n, |i, _| model.weights.as_ref().map_or(1.0, |w| w[i])),
            group: (0..n)
                .map(|i| {
                    model
                        .dispersion
                        .as_ref()
                        .map_or(0, |(codes, _)| codes[i] as usize - 1)
                })
                .collect(),
            sigma: variances.sigma,
            ratios: variances.dispersion.clone(),
            mean: DVector::zeros(0),
            covariance: DMatrix::zeros(0, 0),
        };
        let lambdas: Vec<_> = (0..model.terms.len())
            .map(|t| model.structure.lambda(t, &variances.theta))
            .collect();
        let design = dense.design(&lambdas);
        let w = DMatrix::from_diagonal(&dense.precisions());
        let mut system = design.transpose() * &w * &design;
        let effects = design.ncols() - dense.x.ncols();
        for k in 0..effects {
            system[(k, k)] += 1.0;
        }
        let inverse = system.clone().try_inverse().unwrap();
        dense.mean = &inverse * design.transpose() * &w * &dense.y;
        dense.covariance = if reml {
            inverse
        } else {
            let mut given = DMatrix::zeros(design.ncols(), design.ncols());
            let random = system.view((0, 0), (effects, effects)).into_owned();
            given
                .view_mut((0, 0), (effects, effects))
                .copy_from(&random.try_inverse().unwrap());
            given
        } * dense.sigma.powi(2);
        dense
    }

    /// [Z Λ, X] with a factor for each term.
    fn design(&self, lambdas: &[DMatrix<f64>]) -> DMatrix<f64> {
        let mut blocks: Vec<DMatrix<f64>> = Vec::new();
        for (z, lambda) in self.z.iter().zip(lambdas) {
            let levels = z.ncols() / lambda.nrows();
            blocks.push(z * DMatrix::<f64>::identity(levels, levels).kronecker(lambda));
        }
        blocks.push(self.x.clone());
        let columns = blocks.iter().map(|block| block.ncols()).sum();
        let mut design = DMatrix::zeros(self.y.len(), columns);
        let mut at = 0;
        for block in blocks {
            design.columns_mut(at, block.ncols()).copy_from(&block);
            at += block.ncols();
        }
        design
    }

    /// E[|y − Z Λ u − X (β + γ)|²] of each group for some Λ and γ.
    fn residual(&self, lambdas: &[DMatrix<f64>], gamma: &DVector<f64>) -> Vec<f64> {
        let design = self.design(lambdas);
        let error = &self.y - &design * &self.mean - &self.x * gamma;
        let spread = &design * &self.covariance * design.transpose();
        let mut sums = vec![0.0; self.ratios.len()];
        for i in 0..self.y.len() {
            sums[self.group[i]] += self.weights[i] * (error[i].powi(2) + spread[(i, i)]);
        }
        sums
    }

    /// Their sum weighted as the M step for α weights them, at the best γ.
    fn profiled(&self, lambdas: &[DMatrix<f64>]) -> (f64, DVector<f64>) {
        let error = &self.y - self.design(lambdas) * &self.mean;
        let w = DMatrix::from_diagonal(&self.precisions());
        let gamma = if self.x.ncols() == 0 {
            DVector::zeros(0)
        } else {
            let gram = (self.x.transpose() * &w * &self.x).try_inverse().unwrap();
            gram * self.x.transpose() * &w * error
        };
        let squares = self.residual(lambdas, &gamma);
        let total = squares
            .iter()
            .zip(&self.ratios)
            .map(|(square, ratio)| square / ratio.powi(2));
        (total.sum(), gamma)
    }
}

fn near(what: &str, got: f64, wanted: f64, scale: f64) {
    assert!(
        (got - wanted).abs() <= scale,
        "{what}: {got} instead of {wanted}"
    );
}

/// Runs `check` on every model, ML and REML, at the start and at a point away from it.
fn everywhere(check: impl Fn(&str, &Model, &mut MixedModel, &Problem, &Variances)) {
    for model in models() {
        let statistics = cross_products(&model.rows(), 1).unwrap();
        for reml in [false, true] {
            let known = model.known.clone();
            let problem = Problem::new(&statistics, &model.structure, reml, known).unwrap();
            let start = problem.start();
            let moved: Vec<f64> = start
                .iter()
                .enumerate()
                .map(|(k, value)| 0.9 * value + 0.17 * (k as f64 * 1.7).sin())
                .collect();
            for (place, point) in [start, moved].iter().enumerate() {
                let mut em = MixedModel::new(&problem, true).unwrap();
                let variances = em.variances(point).unwrap();
                let what = format!("{}, REML {reml}, point {place}", model.name);
                check(&what, &model, &mut em, &problem, &variances);
            }
        }
    }
}

#[test]
fn moments_are_those_of_the_posterior() {
    everywhere(|what, model, em, problem, variances| {
        let dense = Dense::new(model, problem.statistics, problem.reml, variances);
        let expectation = em.expect(variances).unwrap();
        let criterion = -2.0 * em.objective(&expectation);
        let mut factor =
            ember_core::mixed::factor::Factor::new(problem.statistics, problem.structure).unwrap();
        let wanted = problem
            .criterion(&mut factor, &em.coordinates(variances))
            .unwrap();
        near(what, criterion, wanted, 1e-9);
        let mut at = 0;
        let mut sums = Vec::new();
        for term in &model.terms {
            let q = term.columns.len();
            let mut sum = DMatrix::zeros(q, q);
            for _ in 0..term.levels {
                let u = dense.mean.rows(at, q);
                sum += u * u.transpose() + dense.covariance.view((at, at), (q, q));
                at += q;
            }
            sums.push(sum);
        }
        for (block, scatter) in em.blocks().iter().zip(&expectation.scatter) {
            let wanted = block.part(&sums[block.term]);
            near(what, (scatter - &wanted).amax(), 0.0, 1e-9 * wanted.amax());
        }
        let lambdas: Vec<_> = (0..model.terms.len())
            .map(|t| model.structure.lambda(t, &variances.theta))
            .collect();
        let squares = dense.residual(&lambdas, &DVector::zeros(dense.x.ncols()));
        for (got, wanted) in expectation.residual.iter().zip(squares) {
            near(what, *got, wanted, 1e-9 * wanted);
        }
    });
}

#[test]
fn the_regression_minimises_the_expected_squares() {
    everywhere(|what, model, em, problem, variances| {
        let dense = Dense::new(model, problem.statistics, problem.reml, variances);
        let expectation = em.expect(variances).unwrap();
        let expansion = expectation.expansion.unwrap();
        let factors = |alphas: &[DMatrix<f64>]| {
            let mut lambdas: Vec<_> = (0..model.terms.len())
                .map(|t| model.structure.lambda(t, &variances.theta))
                .collect();
            for (block, alpha) in em.blocks().iter().zip(alphas) {
                let product = block.part(&lambdas[block.term]) * alpha;
                for (j, &column) in block.effects.iter().enumerate() {
                    for (i, &row) in block.effects.iter().enumerate() {
                        lambdas[block.term][(row, column)] = product[(i, j)];
                    }
                }
            }
            lambdas
        };
        let best = factors(&expansion.alpha);
        let (least, gamma) = dense.profiled(&best);
        for (got, wanted) in expansion.residual.iter().zip(dense.residual(&best, &gamma)) {
            near(what, *got, wanted, 1e-8 * wanted);
        }
        // A quadratic in α: at the least value both sides rise by the same.
        for (b, block) in em.blocks().iter().enumerate() {
            for column in 0..block.width() {
                for row in 0..block.width() {
                    let value = |step: f64| {
                        let mut alphas = expansion.alpha.clone();
                        alphas[b][(row, column)] += step;
                        dense.profiled(&factors(&alphas)).0
                    };
                    if row < block.first_expanded() {
                        let identity = f64::from(u8::from(row == column));
                        assert_eq!(expansion.alpha[b][(row, column)], identity);
                        continue;
                    }
                    let (below, above) = (value(-0.1) - least, value(0.1) - least);
                    assert!(below > 0.0 && above > 0.0, "{what}: {below}, {above}");
                    near(what, above, below, 1e-6 * (above + below));
                }
            }
        }
    });
}
