//! Small models of every shape the blocks must handle.

use ember_core::mixed::criterion::{Known, KnownDeviation};
use ember_core::mixed::rows::{Column, FixedColumns, Rows, TermRows};
use ember_core::mixed::structure::{Entry, Structure};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One core term: codes, levels and columns (an empty one is the intercept).
pub struct Term {
    pub codes: Vec<i32>,
    pub levels: usize,
    pub columns: Vec<Vec<f64>>,
}

/// A model that owns its rows.
pub struct Model {
    pub name: &'static str,
    pub y: Vec<f64>,
    pub x: Vec<f64>,
    pub columns: usize,
    pub sparse: Option<(Vec<i32>, Vec<i32>, Vec<f64>)>,
    pub offset: Option<Vec<f64>>,
    pub weights: Option<Vec<f64>>,
    pub terms: Vec<Term>,
    pub dispersion: Option<(Vec<i32>, usize)>,
    pub structure: Structure,
    pub known: Known,
}

impl Model {
    pub fn rows(&self) -> Rows<'_> {
        let fixed = match &self.sparse {
            Some((starts, rows, values)) => FixedColumns::Sparse {
                columns: self.columns,
                starts,
                rows,
                values,
            },
            None => FixedColumns::Dense {
                values: &self.x,
                columns: self.columns,
            },
        };
        Rows {
            response: &self.y,
            offset: self.offset.as_deref(),
            weights: self.weights.as_deref(),
            fixed,
            terms: self
                .terms
                .iter()
                .map(|term| TermRows {
                    codes: &term.codes,
                    levels: term.levels,
                    columns: columns(term),
                })
                .collect(),
            dispersion: self
                .dispersion
                .as_ref()
                .map(|(codes, groups)| (&codes[..], *groups)),
        }
    }
}

fn columns(term: &Term) -> Vec<Column<'_>> {
    term.columns
        .iter()
        .map(|values| match values.is_empty() {
            true => Column::One,
            false => Column::Values(values),
        })
        .collect()
}

/// Draws the pieces of a model.
pub struct Draw {
    pub rng: ChaCha8Rng,
    pub n: usize,
}

impl Draw {
    pub fn values(&mut self) -> Vec<f64> {
        (0..self.n)
            .map(|_| self.rng.random_range(-1.0..1.0))
            .collect()
    }

    pub fn codes(&mut self, levels: usize) -> Vec<i32> {
        // Every level at least once.
        (0..self.n)
            .map(|i| {
                if i < levels {
                    i as i32 + 1
                } else {
                    self.rng.random_range(1..=levels as i32)
                }
            })
            .collect()
    }

    pub fn term(&mut self, codes: Vec<i32>, levels: usize, width: usize) -> Term {
        let mut columns = vec![Vec::new()];
        columns.extend((1..width).map(|_| self.values()));
        Term {
            codes,
            levels,
            columns,
        }
    }

    /// A model with an intercept, one covariate and the terms given.
    pub fn model(&mut self, name: &'static str, terms: Vec<Term>) -> Model {
        let mut x = vec![1.0; self.n];
        x.extend(self.values().iter().map(|v| 50.0 + 3.0 * v));
        let noise = self.values();
        let y = (0..self.n)
            .map(|i| {
                let effects: f64 = terms.iter().map(|t| f64::from(t.codes[i] % 3)).sum();
                2.0 + 0.1 * x[self.n + i] + effects + 2.0 * noise[i]
            })
            .collect();
        let widths: Vec<usize> = terms.iter().map(|term| term.columns.len()).collect();
        Model {
            name,
            y,
            x,
            columns: 2,
            sparse: None,
            offset: None,
            weights: None,
            terms,
            dispersion: None,
            structure: Structure::full(&widths),
            known: Known::default(),
        }
    }
}

/// All shapes.
pub fn models() -> Vec<Model> {
    let mut draw = Draw {
        rng: ChaCha8Rng::seed_from_u64(3),
        n: 40,
    };
    let d = &mut draw;
    let n = d.n;
    let mut models = Vec::new();
    let simple = |d: &mut Draw, name, shapes: &[(usize, usize)]| {
        let terms = shapes
            .iter()
            .map(|&(levels, width)| {
                let codes = d.codes(levels);
                d.term(codes, levels, width)
            })
            .collect();
        d.model(name, terms)
    };
    models.push(simple(d, "one scalar term", &[(8, 1)]));
    models.push(simple(d, "one vector term", &[(8, 2)]));
    models.push(simple(d, "three effects per level", &[(7, 3)]));
    models.push(simple(d, "four effects per level", &[(6, 4)]));
    models.push(simple(d, "crossed", &[(9, 1), (5, 1)]));
    models.push(simple(d, "crossed, smaller first", &[(4, 1), (11, 1)]));
    models.push(simple(d, "three crossed", &[(9, 1), (6, 1), (3, 1)]));
    models.push(simple(d, "vector crossed", &[(7, 2), (5, 3)]));
    models.push(simple(d, "dense panels", &[(12, 3), (9, 3)]));
    models.push(simple(d, "dense panels, large tail", &[(20, 3), (16, 3)]));
    models.push(simple(
        d,
        "sparse lists, large tail",
        &[(38, 1), (30, 2), (20, 1)],
    ));
    models.push(simple(d, "no random effects", &[]));

    let fine = d.codes(12);
    let middle: Vec<i32> = fine.iter().map(|c| (c - 1) / 2 + 1).collect();
    let coarse: Vec<i32> = middle.iter().map(|c| (c - 1) / 2 + 1).collect();
    let nested = |d: &mut Draw, name, widths: [usize; 3], crossed: Option<(usize, usize)>| {
        let mut terms = vec![
            d.term(fine.clone(), 12, widths[0]),
            d.term(middle.clone(), 6, widths[1]),
            d.term(coarse.clone(), 3, widths[2]),
        ];
        if let Some((levels, width)) = crossed {
            let codes = d.codes(levels);
            terms.push(d.term(codes, levels, width));
        }
        d.model(name, terms)
    };
    models.push(nested(d, "nested", [1, 1, 1], None));
    models.push(nested(d, "nested vectors", [2, 3, 1], None));
    models.push(nested(d, "nested and crossed", [1, 2, 1], Some((5, 2))));

    let mut diagonal = simple(d, "uncorrelated effects", &[(8, 3)]);
    diagonal
        .structure
        .entries
        .retain(|entry| entry.row == entry.column);
    models.push(diagonal);
    let mut partly = simple(d, "blocks within a term", &[(8, 3), (5, 2)]);
    partly.structure.entries = vec![
        Entry {
            term: 0,
            row: 0,
            column: 0,
        },
        Entry {
            term: 0,
            row: 1,
            column: 0,
        },
        Entry {
            term: 0,
            row: 1,
            column: 1,
        },
        Entry {
            term: 1,
            row: 1,
            column: 1,
        },
        Entry {
            term: 1,
            row: 0,
            column: 0,
        },
        Entry {
            term: 0,
            row: 2,
            column: 2,
        },
    ];
    models.push(partly);

    let mut weighted = simple(d, "weights and offset", &[(8, 2), (4, 1)]);
    weighted.weights = Some(d.values().iter().map(|v| 1.5 + v).collect());
    weighted.offset = Some(d.values());
    models.push(weighted);

    let mut dispersed = simple(d, "dispersion", &[(8, 2), (5, 1)]);
    dispersed.dispersion = Some((d.codes(3), 3));
    dispersed.weights = Some(d.values().iter().map(|v| 1.5 + v).collect());
    models.push(dispersed);
    let mut dispersed = nested(d, "dispersion, nested", [1, 2, 1], Some((4, 1)));
    dispersed.dispersion = Some((d.codes(2), 2));
    models.push(dispersed);

    let mut sigma = simple(d, "known sigma", &[(8, 2), (5, 1)]);
    sigma.known.sigma = Some(1.3);
    models.push(sigma);
    let mut deviation = simple(d, "known deviation", &[(8, 2), (5, 1)]);
    deviation.known.deviations = vec![KnownDeviation {
        term: 1,
        index: 0,
        sd: 0.7,
    }];
    models.push(deviation);
    let mut both = simple(
        d,
        "known sigma and deviation, dispersion",
        &[(8, 2), (5, 1)],
    );
    both.known.sigma = Some(1.3);
    both.known.deviations = vec![KnownDeviation {
        term: 0,
        index: 0,
        sd: 0.7,
    }];
    both.dispersion = Some((d.codes(2), 2));
    models.push(both);

    let mut deficient = simple(d, "rank-deficient X", &[(8, 2), (5, 1)]);
    let sum: Vec<f64> = (0..n)
        .map(|i| 3.0 * deficient.x[i] - 2.0 * deficient.x[n + i])
        .collect();
    deficient.x.extend(sum);
    let another = d.values();
    deficient.x.extend(another);
    deficient.columns = 4;
    models.push(deficient);

    let mut none = simple(d, "no fixed effects", &[(8, 2), (5, 1)]);
    none.x.clear();
    none.columns = 0;
    models.push(none);

    for (name, shapes) in [
        ("sparse X", &[(8, 2), (5, 1)][..]),
        ("sparse X, one term", &[(8, 2)][..]),
        ("full-rank sparse X", &[(8, 1)][..]),
    ] {
        let mut sparse = simple(d, name, shapes);
        let group = d.codes(6);
        let covariate = d.values();
        // An intercept, dummies of every group (one aliased) and a covariate.
        let (mut starts, mut at, mut values) = (vec![0], Vec::new(), Vec::new());
        sparse.x = vec![0.0; n * 8];
        for j in 0..8 {
            for i in 0..n {
                let value = match j {
                    0 => f64::from(u8::from(name.starts_with("sparse") || i % 3 == 0)),
                    7 => covariate[i],
                    _ => f64::from(u8::from(group[i] == j as i32)),
                };
                if value != 0.0 {
                    at.push(i as i32);
                    values.push(value);
                    sparse.x[j * n + i] = value;
                }
            }
            starts.push(at.len() as i32);
        }
        sparse.columns = 8;
        sparse.sparse = Some((starts, at, values));
        models.push(sparse);
    }
    models
}
