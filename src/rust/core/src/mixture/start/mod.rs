//! Where EM starts: labels or responsibilities of the rows.
//!
//! One file per way: [`kmeans`] (k-means++ and Lloyd steps, or random seeds for short EM runs),
//! [`hierarchical`] (one tree for every k), [`quantiles`] of one column, [`labels`] and [`responsibilities`] given
//! by the user. All but the last two do not mind the units of the columns ([`scale`]), and look at n in the
//! millions through a [`sample`]. Missing cells (NaN) add nothing to a distance.

pub mod distinct;
pub mod hierarchical;
pub mod kmeans;
pub mod labels;
pub mod quantiles;
pub mod responsibilities;
mod sample;
mod scale;
mod volume;
mod ward;

pub use hierarchical::{Criterion, Tree};
pub use kmeans::{kmeans_plus_plus, random_start};
pub use quantiles::quantile_classes;
