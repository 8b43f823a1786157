//! A term with very many effects.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::models::{Draw, Model};

/// More effects per level than fit on the stack; nobody could estimate it.
pub fn wide() -> Model {
    let mut draw = Draw {
        rng: ChaCha8Rng::seed_from_u64(4),
        n: 40,
    };
    let terms = [(2, 17), (3, 2)].map(|(levels, width)| {
        let codes = draw.codes(levels);
        draw.term(codes, levels, width)
    });
    draw.model("wide effects", terms.into())
}
