use super::*;
struct Eee { x: Vec<[f64;2]>, k: usize }
#[derive(Clone,Debug)]
struct P { w: Vec<f64>, m: Vec<[f64;2]>, s: [f64;3] }
struct S { n: Vec<f64>, m: Vec<[f64;2]>, s:[f64;3], l: f64 }
impl Eee {
 fn stats(&self, z: impl Fn(usize)->(Vec<f64>,f64)) -> S {
  let k=self.k; let mut n=vec![0.;k]; let mut m=vec![[0.;2];k]; let mut l=0.; let mut t=[0.;3];
  for i in 0..self.x.len(){ let (r,li)=z(i); l+=li; for j in 0..k{ n[j]+=r[j]; for a in 0..2 {m[j][a]+=r[j]*self.x[i][a];} } }
  for j in 0..k {for a in 0..2 {m[j][a]/=n[j];}}
  for i in 0..self.x.len(){ let (r,_)=z(i); for j in 0..k{ let d=[self.x[i][0]-m[j][0],self.x[i][1]-m[j][1]]; t[0]+=r[j]*d[0]*d[0];t[1]+=r[j]*d[0]*d[1];t[2]+=r[j]*d[1]*d[1]; } }
  let nn=self.x.len() as f64; S{n,m,s:[t[0]/nn,t[1]/nn,t[2]/nn],l}
 }
}
impl Model for Eee { type Params=P; type Stats=S;
 fn expect(&mut self,p:&P)->crate::Result<S>{ let det=p.s[0]*p.s[2]-p.s[1]*p.s[1];
  if !(det>0.) {return Err(crate::Error::NotPositiveDefinite{pivot:0});}
  let zz:Vec<(Vec<f64>,f64)>=self.x.iter().map(|x|{ let lg:Vec<f64>=(0..self.k).map(|j|{let d=[x[0]-p.m[j][0],x[1]-p.m[j][1]]; let q=(d[0]*d[0]*p.s[2]-2.*d[0]*d[1]*p.s[1]+d[1]*d[1]*p.s[0])/det; p.w[j].ln()-0.5*q-0.5*det.ln()-(2.*std::f64::consts::PI).ln()}).collect();
   let mx=lg.iter().cloned().fold(f64::MIN,f64::max); let s:f64=lg.iter().map(|l|(l-mx).exp()).sum(); (lg.iter().map(|l|(l-mx).exp()/s).collect(), mx+s.ln())}).collect();
  Ok(self.stats(|i|zz[i].clone())) }
 fn maximize(&mut self,s:&S,_:&P)->crate::Result<P>{ let n:f64=s.n.iter().sum(); Ok(P{w:s.n.iter().map(|v|v/n).collect(),m:s.m.clone(),s:s.s})}
 fn objective(&self,s:&S)->f64{s.l}
 fn complete_objective(&self,_:&S,_:&P)->Option<f64>{None}
 fn flatten(&self,p:&P)->Option<Vec<f64>>{ let mut v:Vec<f64>=p.w[1..].iter().map(|w|(w/p.w[0]).ln()).collect(); for m in &p.m{v.extend(m);} let a=p.s[0].sqrt(); let b=p.s[1]/a; let c=(p.s[2]-b*b).sqrt(); v.extend([a.ln(),b,c.ln()]); Some(v)}
 fn unflatten(&self,v:&[f64],_:&P)->Option<P>{ let k=self.k; let mut w=vec![1.]; w.extend(v[..k-1].iter().map(|x|x.exp())); let s:f64=w.iter().sum(); for x in &mut w {*x/=s;} let m=(0..k).map(|j|[v[k-1+2*j],v[k+2*j]]).collect(); let o=k-1+2*k; let a=v[o].exp(); let b=v[o+1]; let c=v[o+2].exp(); Some(P{w,m,s:[a*a,a*b,b*b+c*c]})}
}
#[test] fn proto(){
 let x:Vec<[f64;2]>=std::fs::read_to_string("/tmp/drv/faithful.txt").unwrap().lines().map(|l|{let v:Vec<f64>=l.split(' ').map(|s|s.parse().unwrap()).collect();[v[0],v[1]]}).collect();
 let lab:Vec<usize>=std::fs::read_to_string("/tmp/drv/labels.txt").unwrap().lines().map(|l|l.parse().unwrap()).collect();
 for variant in 0..4 {
 let (k,lab)=match variant {0=>(3,lab.clone()),1=>(3,(0..x.len()).map(|i|i*3/x.len()).collect()),2=>(4,x.iter().map(|v| ((v[1]-43.)/14.) as usize).map(|v|v.min(3)).collect()),_=>(3,x.iter().map(|v| if v[0]<3. {0} else if v[0]<4.3 {1} else {2}).collect::<Vec<_>>())};
 println!("variant {variant}");
 let mut best=f64::NEG_INFINITY;
 for acc in [Acceleration::None,Acceleration::Squarem,Acceleration::Anderson(5),Acceleration::Anderson(3),Acceleration::Anderson(10)] {
  let mut m=Eee{x:x.clone(),k};
  let s=m.stats(|i|{let mut r=vec![0.;k]; r[lab[i]]=1.; (r,0.)}); let start=m.maximize(&s,&P{w:vec![],m:vec![],s:[0.;3]}).unwrap();
  if best==f64::NEG_INFINITY { let o=run(&mut m,start.clone(),&Settings{tol:0.,max_iter:20000,acceleration:Acceleration::None},&mut |_|Flow::Continue).unwrap(); best=o.objective; println!("tol0 {} {:?} rate {}",o.iterations,o.status,o.rate);}
  let mut first=None; let o={let f=&mut first; run(&mut m,start,&Settings{tol:1e-8,max_iter:5000,acceleration:acc},&mut |p|{ if f.is_none() && best-p.objective<1e-8 {*f=Some(p.passes);} Flow::Continue}).unwrap()};
  println!("{acc:?} {:?} it {} passes {} first {:?} gap {:e} est {:e} rate {}",o.status,o.iterations,o.passes,first,best-o.objective,o.distance,o.rate);
  //if acc!=Acceleration::None {for e in &o.trace {println!("{:?} {:e}",e.step,best-e.objective);}}
 }}
}
