//! EM proper with missing values: cells are hidden too, not guessed beforehand.
//!
//! The hidden part of a row is its label and its missing cells x_M. The E-step needs, for component k,
//! E[y | x_O] and E[y yᵀ | x_O] of the whitened row y = L⁻¹(x − μ), which is N(0, I) under the component
//! (Ghahramani & Jordan 1994; Little & Rubin 2002, chapter 11). Observing x_O means observing
//! x_O − μ_O = L_O y, with L_O the rows O of L. From the QR factors L_Oᵀ = Q R follows
//!
//! ```text
//! Rᵀ = chol Σ_OO,   v = R⁻ᵀ(x_O − μ_O),   E[y | x_O] = Q v,   Cov[y | x_O] = I − Q Qᵀ
//! ```
//!
//! v is the whitened row of the **marginal** mixture of the observed columns. So rows with the same pattern
//! of missing cells go through the kernel of complete data at that marginal mixture, and their small
//! statistics are lifted: Σ r y = Q Σ r v and Σ r y yᵀ = Q (Σ r v vᵀ) Qᵀ + N (I − Q Qᵀ). Nothing is
//! subtracted that could cancel, and there is no second E-step to keep right.
//!
//! The log-likelihood is that of the observed cells. It is what to maximise when values are missing at
//! random (Rubin 1976). A row without any observed cell says nothing: it is left out of the statistics.

mod conditional;
mod expect;
mod moments;
mod patterns;
mod posterior;

pub use expect::expect_missing;
pub use moments::moments_from_responsibilities_missing;
pub use patterns::Patterns;
pub use posterior::{impute, log_density_missing, responsibilities_missing};
