use super::data::Data; use super::model::Mixture; use super::stats::MixtureStats; use crate::error::Result;
pub struct Patterns; impl Patterns { pub fn new(_d:&Data)->Result<Self>{Ok(Patterns)} }
pub fn expect_missing(_d:&Data,_p:&Patterns,_m:&Mixture,_t:usize)->Result<MixtureStats>{unimplemented!()}
