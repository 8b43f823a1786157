//! Where EM starts: labels or responsibilities of the rows.
//!
//! One file per way: [`kmeans`] (k-means++ and Lloyd steps, or random seeds for short EM runs),
//! [`hierarchical`] (one tree for every k), [`labels`] and [`responsibilities`] given by the user. All but the
//! last two look at the data through [`scale`], so the units of the columns do not matter, and at n in the
//! millions through a [`sample`]. Missing cells (NaN) add nothing to a distance.

pub mod distinct;
pub mod hierarchical;
pub mod kmeans;
pub mod labels;
pub mod responsibilities;
mod sample;
mod scale;
mod volume;
mod ward;

pub use hierarchical::{Criterion, Tree};
pub use kmeans::{kmeans_plus_plus, random_start};
