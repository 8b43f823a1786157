//! A fixed effect held at a value: its column leaves X, and the value times it leaves y.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};

use super::basis::{Basis, Transform};
use super::coincidence::Lists;
use super::cross_products::{CrossProducts, Design, Products, Response, ResponseProducts};

impl CrossProducts {
    /// The statistics with the coefficient of column `j` (an index into the columns kept) fixed at `value`.
    pub fn without_column(&self, j: usize, value: f64) -> CrossProducts {
        let design = &*self.design;
        let change = Change::of(&design.basis, j, self.response.origin[j] - value);
        let mut kept = design.basis.kept.clone();
        kept.remove(j);
        let products = design.products.iter().map(|products| Products {
            diagonal: products.diagonal.clone(),
            fixed: (0..products.fixed.len())
                .map(|t| change.keep_blocks(&products.fixed[t], design, t))
                .collect(),
            pairs: products.pairs.clone(),
            gram: change.keep_gram(&products.gram),
        });
        let both = self.response.products.iter().zip(&design.products);
        let response = both.map(|(y, x)| change.shift(y, x, design)).collect();
        let mut moved = DVector::zeros(self.fixed_columns());
        design
            .basis
            .apply(change.shift.as_slice(), moved.as_mut_slice());
        let lists = design.fixed_lists.as_ref();
        CrossProducts {
            design: Arc::new(Design {
                basis: Basis {
                    kept,
                    aliased: design.basis.aliased.clone(),
                    transform: change.transform.clone(),
                },
                fixed_lists: lists.map(|lists| lists.iter().map(|l| without(l, j)).collect()),
                products: products.collect(),
                pairs: design.pairs.clone(),
                chain: design.chain.clone(),
                rest: design.rest.clone(),
                group_rows: design.group_rows.clone(),
                widths: design.widths.clone(),
                levels: design.levels.clone(),
                ..*design
            }),
            response: Response {
                origin: (&self.response.origin - moved).remove_row(j),
                products: response,
            },
        }
    }
}

/// y becomes y + X̃ d and X̃ becomes X̃ K.
struct Change {
    /// d: the shortest that moves β_j from its origin to the value.
    shift: DVector<f64>,
    /// K, an orthonormal basis of the β̃ that leave β_j alone; `None` for a sparse X, which loses column j.
    keep: Option<DMatrix<f64>>,
    j: usize,
    /// T of the columns that stay.
    transform: Transform,
}

impl Change {
    fn of(basis: &Basis, j: usize, distance: f64) -> Self {
        match &basis.transform {
            Transform::Full(transform) => {
                let p = transform.ncols();
                let row = transform.row(j).transpose();
                // The other columns of the reflection that sends `row` to the first axis.
                let mut head = row.clone();
                head[0] += row.norm().copysign(row[0]);
                let reflection = DMatrix::identity(p, p)
                    - &head * head.transpose() * (2.0 / head.norm_squared());
                let keep = reflection.columns(1, p - 1).into_owned();
                Change {
                    shift: &row * (distance / row.norm_squared()),
                    j,
                    transform: Transform::Full((transform * &keep).remove_row(j)),
                    keep: Some(keep),
                }
            }
            Transform::Diagonal(scale) => {
                let mut shift = DVector::zeros(scale.len());
                shift[j] = distance / scale[j];
                Change {
                    shift,
                    keep: None,
                    j,
                    transform: Transform::Diagonal(scale.clone().remove_row(j)),
                }
            }
        }
    }

    /// X̃ᵀWZ of a term in the new basis.
    fn keep_blocks(&self, blocks: &[f64], design: &Design, term: usize) -> Vec<f64> {
        if let Some(lists) = &design.fixed_lists {
            let entries = blocks
                .chunks_exact(design.widths[term])
                .zip(&lists[term].indices);
            let kept = entries.filter(|(_, &k)| k as usize != self.j);
            return kept.flat_map(|(block, _)| block).copied().collect();
        }
        let Some(keep) = &self.keep else {
            return Vec::new();
        };
        let (p, kept) = keep.shape();
        let mut projected = Vec::with_capacity(blocks.len() / p * kept);
        for column in blocks.chunks_exact(p) {
            for direction in keep.as_slice().chunks_exact(p) {
                projected.push(column.iter().zip(direction).map(|(x, k)| x * k).sum());
            }
        }
        projected
    }

    fn keep_gram(&self, gram: &DMatrix<f64>) -> DMatrix<f64> {
        match &self.keep {
            Some(keep) => keep.tr_mul(gram) * keep,
            None => gram.clone().remove_row(self.j).remove_column(self.j),
        }
    }

    /// What depends on y.
    fn shift(&self, y: &ResponseProducts, x: &Products, design: &Design) -> ResponseProducts {
        let d = &self.shift;
        let mut effects = y.effects.clone();
        for (t, effects) in effects.iter_mut().enumerate() {
            let fixed = &x.fixed[t];
            let Some(lists) = &design.fixed_lists else {
                for (effect, column) in effects.iter_mut().zip(fixed.chunks_exact(d.len())) {
                    *effect += column.iter().zip(d).map(|(x, d)| x * d).sum::<f64>();
                }
                continue;
            };
            let q = design.widths[t];
            for (level, effect) in effects.chunks_exact_mut(q).enumerate() {
                for at in lists[t].range(level) {
                    let d = d[lists[t].indices[at] as usize];
                    let block = &fixed[at * q..(at + 1) * q];
                    effect.iter_mut().zip(block).for_each(|(e, x)| *e += x * d);
                }
            }
        }
        let along = &x.gram * d;
        let fixed = &y.fixed + &along;
        ResponseProducts {
            effects,
            square: y.square + 2.0 * y.fixed.dot(d) + along.dot(d),
            fixed: match &self.keep {
                Some(keep) => keep.tr_mul(&fixed),
                None => fixed.remove_row(self.j),
            },
        }
    }
}

/// Lists of columns without column `j`; later columns move up.
fn without(lists: &Lists, j: usize) -> Lists {
    let mut starts = vec![0];
    let mut indices = Vec::with_capacity(lists.indices.len());
    for key in 0..lists.starts.len() - 1 {
        let list = lists.indices[lists.range(key)].iter().map(|&k| k as usize);
        indices.extend(
            list.filter(|&k| k != j)
                .map(|k| (k - usize::from(k > j)) as u32),
        );
        starts.push(indices.len());
    }
    Lists { starts, indices }
}
