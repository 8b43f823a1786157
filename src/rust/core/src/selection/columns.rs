//! Sums over a block of rows, column by column, on vectors.

use crate::simd::{dispatch, Isa, Kernel, Lanes};

/// Columns that go through the registers together.
const TOGETHER: usize = 4;

/// x'y.
pub(crate) fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut sum = [0.0];
    dots(x, y, x.len(), &mut sum);
    sum[0]
}

/// Adds x'c to `to` for each column c, one every `stride` values of `columns`; as many as `to` has room for.
pub(crate) fn dots(x: &[f64], columns: &[f64], stride: usize, to: &mut [f64]) {
    let kernel = Dots {
        x,
        columns,
        stride,
        to,
    };
    dispatch(Isa::best(), kernel);
}

/// Adds Σ factor × column to `to`.
pub(crate) fn combine<'a>(terms: impl Iterator<Item = (f64, &'a [f64])>, to: &mut [f64]) {
    let mut waiting: [(f64, &[f64]); TOGETHER] = [(0.0, &[]); TOGETHER];
    let mut count = 0;
    for term in terms {
        waiting[count] = term;
        count += 1;
        if count == TOGETHER {
            dispatch(Isa::best(), Combine { terms: waiting, to });
            count = 0;
        }
    }
    for &(factor, column) in &waiting[..count] {
        let terms = [(factor, column)];
        dispatch(Isa::best(), Combine { terms, to });
    }
}

struct Dots<'a> {
    x: &'a [f64],
    columns: &'a [f64],
    stride: usize,
    to: &'a mut [f64],
}

impl Kernel for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Dots {
            x,
            columns,
            stride,
            to,
        } = self;
        let mut done = 0;
        while done < to.len() {
            let columns = &columns[done * stride..];
            done += match to.len() - done {
                1 => several::<L, 1>(x, columns, stride, &mut to[done..]),
                2 | 3 => several::<L, 2>(x, columns, stride, &mut to[done..]),
                _ => several::<L, TOGETHER>(x, columns, stride, &mut to[done..]),
            };
        }
    }
}

/// Adds x'c of the first C columns; two vectors of each at a time.
#[inline(always)]
fn several<L: Lanes, const C: usize>(
    x: &[f64],
    columns: &[f64],
    stride: usize,
    to: &mut [f64],
) -> usize {
    let mut parts: [&[f64]; C] = [&[]; C];
    for c in 0..C {
        parts[c] = &columns[c * stride..][..x.len()];
    }
    let zero = L::splat(0.0);
    let mut sums = [[zero; 2]; C];
    let step = 2 * L::WIDTH;
    let whole = x.len() / step * step;
    let mut i = 0;
    while i < whole {
        let (first, second) = (L::load(&x[i..]), L::load(&x[i + L::WIDTH..]));
        for c in 0..C {
            sums[c][0] = first.mul_add(L::load(&parts[c][i..]), sums[c][0]);
            sums[c][1] = second.mul_add(L::load(&parts[c][i + L::WIDTH..]), sums[c][1]);
        }
        i += step;
    }
    for c in 0..C {
        let mut sum = (sums[c][0] + sums[c][1]).sum();
        for i in whole..x.len() {
            sum += x[i] * parts[c][i];
        }
        to[c] += sum;
    }
    C
}

struct Combine<'a, const C: usize> {
    terms: [(f64, &'a [f64]); C],
    to: &'a mut [f64],
}

impl<const C: usize> Kernel for Combine<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let rows = self.to.len();
        let zero = L::splat(0.0);
        let mut factors = [zero; C];
        let mut parts: [&[f64]; C] = [&[]; C];
        for c in 0..C {
            factors[c] = L::splat(self.terms[c].0);
            parts[c] = &self.terms[c].1[..rows];
        }
        let whole = rows / L::WIDTH * L::WIDTH;
        let mut i = 0;
        while i < whole {
            let mut sum = L::load(&self.to[i..]);
            for c in 0..C {
                sum = factors[c].mul_add(L::load(&parts[c][i..]), sum);
            }
            sum.store(&mut self.to[i..]);
            i += L::WIDTH;
        }
        for (factor, column) in self.terms {
            let rest = self.to[whole..].iter_mut().zip(&column[whole..rows]);
            rest.for_each(|(to, x)| *to += factor * x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(k: usize, rows: usize) -> Vec<f64> {
        (0..rows)
            .map(|i| ((3 * k + 1) as f64 + 0.7 * i as f64).sin())
            .collect()
    }

    #[test]
    fn sums_are_those_of_plain_loops() {
        for rows in [0, 1, 7, 16, 31, 256] {
            for count in 1..=9 {
                let columns: Vec<Vec<f64>> = (1..=count).map(|k| column(k, rows)).collect();
                let x = column(0, rows);
                let mut found = vec![1.0; count];
                dots(&x, &columns.concat(), rows, &mut found);
                for (column, found) in columns.iter().zip(found) {
                    let expected: f64 = 1.0 + x.iter().zip(column).map(|(a, b)| a * b).sum::<f64>();
                    assert!((found - expected).abs() < 1e-12);
                }
                let mut found = x.clone();
                let factors = (0..count).map(|k| 0.5 - k as f64);
                combine(factors.zip(columns.iter().map(|c| &c[..])), &mut found);
                for (i, found) in found.into_iter().enumerate() {
                    let sum: f64 = (0..count).map(|k| (0.5 - k as f64) * columns[k][i]).sum();
                    assert!((found - x[i] - sum).abs() < 1e-12);
                }
            }
            assert!(
                (dot(&column(0, rows), &column(0, rows))
                    - column(0, rows).iter().map(|x| x * x).sum::<f64>())
                .abs()
                    < 1e-12
            );
        }
    }
}
