//! Scores, information matrices and covariances of estimates against values obtained elsewhere.

mod oracle;
mod textbook;

mod derivatives;
mod estimates;
mod identification;
