use super::*;

/// Applies `exp` or `log` to values whose number is a multiple of 8.
struct Map<'a> {
    from: &'a [f64],
    to: &'a mut [f64],
    logarithm: bool,
}

impl Kernel for Map<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let from = self.from.chunks_exact(L::WIDTH);
        for (from, to) in from.zip(self.to.chunks_exact_mut(L::WIDTH)) {
            let x = L::load(from);
            let y = if self.logarithm { log(x) } else { exp([x])[0] };
            y.store(to);
        }
    }
}

fn map(isa: Isa, from: &[f64], logarithm: bool) -> Vec<f64> {
    let mut to = vec![0.0; from.len()];
    dispatch(
        isa,
        Map {
            from,
            to: &mut to,
            logarithm,
        },
    );
    to
}

/// Distance in units in the last place of `want`.
fn ulps(got: f64, want: f64) -> f64 {
    let unit = f64::from_bits(want.abs().to_bits() + 1) - want.abs();
    (got - want).abs() / unit
}

#[test]
fn exp_is_accurate_to_the_last_place() {
    let from: Vec<f64> = (0..400_000)
        .map(|i| -707.9 + 1407.0 * f64::from(i) / 400_000.0)
        .chain((0..80_000).map(|i| 1e-5 * f64::from(i - 40_000)))
        .collect();
    for isa in Isa::available() {
        let worst = from
            .iter()
            .zip(map(isa, &from, false))
            .map(|(x, y)| ulps(y, x.exp()))
            .fold(0.0, f64::max);
        assert!(worst <= 1.0, "{isa:?} {worst}");
    }
}

#[test]
fn exp_of_the_extremes() {
    let r_missing = f64::from_bits(0x7ff0_0000_0000_07a2 | 1 << 51);
    let from = [
        f64::NEG_INFINITY,
        -1e300,
        -750.0,
        0.0,
        -0.0,
        f64::NAN,
        r_missing,
        1.0,
    ];
    for isa in Isa::available() {
        let got = map(isa, &from, false);
        assert_eq!(got[..5], [0.0, 0.0, 0.0, 1.0, 1.0], "{isa:?}");
        assert!(got[5].is_nan() && got[6].is_nan(), "{isa:?}");
        assert!(ulps(got[7], std::f64::consts::E) <= 1.0, "{isa:?}");
    }
}

#[test]
fn log_is_accurate_to_the_last_place() {
    let from: Vec<f64> = (0..100_000)
        .map(|i| (-700.0 + 1400.0 * f64::from(i) / 100_000.0).exp())
        .chain((0..100_000).map(|i| 0.5 + 2e-5 * f64::from(i)))
        .chain([
            f64::MIN_POSITIVE,
            f64::MAX,
            1.0,
            1.0 + f64::EPSILON,
            2.0,
            3.0,
            4.0,
            5.0,
        ])
        .collect();
    for isa in Isa::available() {
        let worst = from
            .iter()
            .zip(map(isa, &from, true))
            .map(|(x, y)| ulps(y, x.ln()))
            .fold(0.0, f64::max);
        assert!(worst <= 1.0, "{isa:?} {worst}");
    }
}

struct Reduce([f64; 32]);

impl Kernel for Reduce {
    type Output = ([f64; 4], f64);
    #[inline(always)]
    fn run<L: Lanes>(self) -> Self::Output {
        let v = [0, 8, 16, 24].map(|at| L::load(&self.0[at..]));
        (L::sums(v), v[3].sum())
    }
}

#[test]
fn sums_add_every_lane_once() {
    let values = std::array::from_fn(|i| ((i * i) % 37) as f64);
    for isa in Isa::available() {
        let width = match isa {
            Isa::Avx512 => 8,
            Isa::Avx2 => 4,
            Isa::Neon => 2,
            Isa::Scalar => 1,
        };
        let (sums, last) = dispatch(isa, Reduce(values));
        let want = [0, 8, 16, 24].map(|at| values[at..at + width].iter().sum::<f64>());
        assert_eq!(sums, want, "{isa:?}");
        assert_eq!(last, want[3], "{isa:?}");
    }
}

#[test]
fn exponentials_of_slices_of_any_length() {
    for length in [0, 1, 15, 16, 37] {
        let mut values: Vec<f64> = (0..length).map(|i| 3.0 - i as f64).collect();
        super::exp_slice(&mut values);
        for (i, value) in values.iter().enumerate() {
            let expected = (3.0 - i as f64).exp();
            assert!((value - expected).abs() <= 4.0 * f64::EPSILON * expected);
        }
    }
}
