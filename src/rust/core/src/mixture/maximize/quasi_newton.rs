//! Limited-memory BFGS: the inverse Hessian from the last steps (Nocedal 1980).

use std::collections::VecDeque;

use nalgebra::DVector;

/// Steps that are remembered.
const MEMORY: usize = 12;

/// A starting diagonal Hessian and what the last steps taught.
pub(super) struct QuasiNewton {
    curvatures: DVector<f64>,
    pairs: VecDeque<Pair>,
}

/// A step, the change of the gradient along it, and 1 / their product.
struct Pair {
    step: DVector<f64>,
    change: DVector<f64>,
    inverse_product: f64,
}

impl QuasiNewton {
    /// Starts from a diagonal Hessian with positive entries.
    pub(super) fn new(curvatures: DVector<f64>) -> Self {
        QuasiNewton {
            curvatures,
            pairs: VecDeque::new(),
        }
    }

    /// The approximate inverse Hessian times `gradient` (the two-loop recursion).
    pub(super) fn precondition(&self, gradient: &DVector<f64>) -> DVector<f64> {
        let mut direction = gradient.clone();
        let mut shares = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let share = pair.inverse_product * pair.step.dot(&direction);
            direction.axpy(-share, &pair.change, 1.0);
            shares.push(share);
        }
        direction.component_div_assign(&self.curvatures);
        for (pair, share) in self.pairs.iter().zip(shares.iter().rev()) {
            let back = pair.inverse_product * pair.change.dot(&direction);
            direction.axpy(share - back, &pair.step, 1.0);
        }
        direction
    }

    /// Learns from a step along which the gradient changed by `change`; steps through a ridge, where the
    /// curvature is negative, teach nothing.
    pub(super) fn learn(&mut self, step: DVector<f64>, change: DVector<f64>) {
        let product = step.dot(&change);
        if product <= f64::EPSILON * step.norm() * change.norm() {
            return;
        }
        if self.pairs.len() == MEMORY {
            self.pairs.pop_front();
        }
        self.pairs.push_back(Pair {
            step,
            change,
            inverse_product: 1.0 / product,
        });
    }
}
