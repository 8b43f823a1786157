//! One seed, many independent streams of random numbers.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Stream number `stream` of `seed`.
///
/// The seed fills the first eight bytes of ChaCha's key (the rest is zero), the stream is ChaCha's nonce, so
/// streams of one seed never overlap and a task's numbers do not depend on which thread runs it, nor on how
/// many numbers other tasks took. ChaCha with eight rounds is fully specified: the same pair gives the
/// same numbers on every machine.
pub fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(stream);
    rng
}

#[cfg(test)]
mod tests {
    use super::stream;
    use rand::{Rng, RngExt};

    fn first(seed: u64, number: u64) -> [u64; 2] {
        let mut rng = stream(seed, number);
        [rng.next_u64(), rng.next_u64()]
    }

    /// ChaCha8 written out from its definition (Bernstein 2008) gives these values.
    #[test]
    fn numbers_never_change() {
        assert_eq!(
            first(0, 0),
            [15_438_444_565_445_410_878, 11_647_726_043_916_688_255]
        );
        assert_eq!(
            first(1, 0),
            [7_037_237_572_835_827_407, 5_440_448_899_038_119_230]
        );
        assert_eq!(
            first(1, 7),
            [5_510_913_179_915_972_433, 3_621_581_692_989_865_442]
        );
        assert_eq!(stream(42, 3).random::<f64>(), 0.456_762_128_573_495_63);
    }

    /// What the starts draw besides: a new version of rand must not move users' fits unseen.
    #[test]
    fn samples_never_change() {
        let sample = rand::seq::index::sample(&mut stream(42, 3), 1000, 3).into_vec();
        assert_eq!(sample, [273, 456, 239]);
    }

    #[test]
    fn streams_are_uncorrelated() {
        let n = 20_000;
        let draw = |seed, number| -> Vec<f64> {
            let mut rng = stream(seed, number);
            (0..n).map(|_| rng.random::<f64>() - 0.5).collect()
        };
        let reference = draw(5, 0);
        for other in [draw(5, 1), draw(5, 2), draw(6, 0)] {
            let covariance: f64 = reference.iter().zip(&other).map(|(a, b)| a * b).sum();
            let correlation = 12.0 * covariance / n as f64;
            assert!(correlation.abs() < 4.0 / (n as f64).sqrt(), "{correlation}");
        }
    }
}
