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

/// More fixed effects than our own loops invert.
pub fn many_columns() -> Model {
    let mut draw = Draw {
        rng: ChaCha8Rng::seed_from_u64(5),
        n: 90,
    };
    let codes = draw.codes(8);
    let terms = vec![draw.term(codes, 8, 2)];
    let mut model = draw.model("many fixed effects", terms);
    for _ in 0..45 {
        model.x.extend(draw.values());
        model.columns += 1;
    }
    model
}
