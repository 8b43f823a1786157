//! Values against R's densities, derivatives against differences.

use super::*;

/// Distribution, link, then y, weight, η, shape and R's log density (dbinom, dpois, dnbinom, dgamma; binomial tails by
/// plogis and pnorm with log.p = TRUE, cloglog by expm1; shape 1e7 in 40 digits).
const DENSITIES: [(&str, &str, [f64; 5]); 26] = [
    ("binomial", "logit", [1.0, 1.0, -700.0, 1.0, -700.0]),
    (
        "binomial",
        "logit",
        [0.3, 10.0, 0.7, 1.0, -4.144368746072533],
    ),
    ("binomial", "logit", [0.0, 1.0, 700.0, 1.0, -700.0]),
    (
        "binomial",
        "logit",
        [1.0, 1.0, 40.0, 1.0, -4.248354255291589e-18],
    ),
    (
        "binomial",
        "probit",
        [0.25, 4.0, -0.3, 1.0, -1.0200389418144038],
    ),
    (
        "binomial",
        "probit",
        [1.0, 1.0, -30.0, 1.0, -454.3212439563432],
    ),
    (
        "binomial",
        "probit",
        [1.0, 3.0, 9.0, 1.0, -3.3857652178615226e-19],
    ),
    (
        "binomial",
        "probit",
        [0.0, 2.0, 5.5, 1.0, -35.55875270525052],
    ),
    (
        "binomial",
        "cloglog",
        [0.5, 6.0, -0.2, 1.0, -1.205229242239864],
    ),
    (
        "binomial",
        "cloglog",
        [1.0, 1.0, -25.0, 1.0, -25.000000000006946],
    ),
    (
        "binomial",
        "cloglog",
        [0.0, 1.0, 3.0, 1.0, -20.085536923187668],
    ),
    (
        "binomial",
        "cauchit",
        [0.2, 5.0, -4.0, 1.0, -1.2666258169879934],
    ),
    (
        "binomial",
        "cauchit",
        [1.0, 1.0, -1000.0, 1.0, -8.052485498164726],
    ),
    (
        "binomial",
        "log",
        [0.75, 8.0, -0.4, 1.0, -1.2870613530026522],
    ),
    ("poisson", "log", [3.0, 1.0, 0.5, 1.0, -1.9404807399281832]),
    (
        "poisson",
        "log",
        [0.0, 2.5, -20.0, 1.0, -5.152884056096395e-09],
    ),
    ("poisson", "sqrt", [7.0, 1.0, 2.2, 1.0, -2.3267583159656318]),
    (
        "poisson",
        "identity",
        [40.0, 1.0, 37.5, 1.0, -2.8470023957027903],
    ),
    (
        "negative_binomial",
        "log",
        [3.0, 1.0, 1.2, 0.7, -2.422077503474942],
    ),
    (
        "negative_binomial",
        "log",
        [50.0, 1.0, 4.0, 2.5, -4.4394275223391615],
    ),
    (
        "negative_binomial",
        "log",
        [100.0, 1.0, 4.0, 10000000.0, -18.337_427_523_002_49],
    ),
    (
        "negative_binomial",
        "sqrt",
        [2.0, 1.0, 1.5, 3.0, -1.5816836153526204],
    ),
    (
        "negative_binomial",
        "identity",
        [6.0, 2.0, 4.5, 30.0, -4.228528820624038],
    ),
    ("Gamma", "log", [2.5, 1.0, 0.4, 1.7, -1.889580959126803]),
    (
        "Gamma",
        "inverse",
        [0.3, 1.0, 2.5, 40.0, 0.6201078101686917],
    ),
    (
        "Gamma",
        "identity",
        [4.0, 0.5, 3.0, 8.0, -0.8205667378995181],
    ),
];

const FAMILIES: [(Distribution, Link); 14] = [
    (Distribution::Binomial, Link::Logit),
    (Distribution::Binomial, Link::Probit),
    (Distribution::Binomial, Link::Cloglog),
    (Distribution::Binomial, Link::Cauchit),
    (Distribution::Binomial, Link::Log),
    (Distribution::Poisson, Link::Log),
    (Distribution::Poisson, Link::Sqrt),
    (Distribution::Poisson, Link::Identity),
    (Distribution::NegativeBinomial, Link::Log),
    (Distribution::NegativeBinomial, Link::Sqrt),
    (Distribution::NegativeBinomial, Link::Identity),
    (Distribution::Gamma, Link::Log),
    (Distribution::Gamma, Link::Inverse),
    (Distribution::Gamma, Link::Identity),
];

/// Responses and linear predictors that a family can have.
fn examples(family: Family) -> (Vec<f64>, Vec<f64>) {
    let responses = match family.distribution {
        Distribution::Binomial => vec![0.0, 0.3, 1.0],
        Distribution::Gamma => vec![0.2, 3.0],
        _ => vec![0.0, 2.0, 70.0],
    };
    let etas = match family.link {
        Link::Log if family.distribution == Distribution::Binomial => {
            vec![-30.0, -3.0, -0.5, -0.01]
        }
        Link::Logit | Link::Probit | Link::Cloglog | Link::Cauchit => {
            vec![
                -60.0, -12.0, -5.01, -4.99, -2.0, -1.3, -0.4, 0.3, 1.5, 2.5, 4.99, 5.01,
            ]
        }
        Link::Log => vec![-20.0, -2.0, 0.3, 5.0],
        _ => vec![0.1, 0.8, 4.0, 30.0],
    };
    (responses, etas)
}

/// A central difference of fourth order.
fn difference(f: impl Fn(f64) -> f64, x: f64, step: f64) -> f64 {
    let d = |h: f64| (f(x + h) - f(x - h)) / (2.0 * h);
    (4.0 * d(0.5 * step) - d(step)) / 3.0
}

fn assert_close(value: f64, expected: f64, scale: f64, what: &str) {
    let error = (value - expected).abs();
    assert!(
        error <= 1e-7 * expected.abs() + 1e-9 * scale,
        "{what}: {value:e} is not {expected:e}"
    );
}

#[test]
fn densities_are_those_of_r() {
    for (distribution, link, [y, weight, eta, shape, expected]) in DENSITIES {
        let family = Family::from_names(distribution, link).unwrap();
        let value = family.log_density(y, weight, eta, shape.ln());
        let error = (value - expected).abs();
        assert!(
            error <= 4e-14 * expected.abs() + 1e-30,
            "{distribution} {link} {y} {eta}: {value:e}, R {expected:e}"
        );
    }
}

#[test]
fn derivatives_are_those_of_the_value() {
    for (distribution, link) in FAMILIES {
        let family = Family::new(distribution, link).unwrap();
        let (responses, etas) = examples(family);
        for (&y, &eta) in responses
            .iter()
            .flat_map(|y| etas.iter().map(move |eta| (y, eta)))
        {
            for shape in [0.6f64, 25.0] {
                let at = |eta: f64| family.derivatives(y, 3.0, eta, shape.ln());
                let terms = at(eta);
                let step = 2e-3 * eta.abs().min((-eta).exp()).min(1.0);
                let what = format!("{family:?} y {y} eta {eta}");
                let scale = terms.value.abs() * 1e-4 / step;
                let score = difference(|eta| at(eta).value, eta, step);
                assert_close(terms.score, score, scale, &format!("score {what}"));
                let weight = -difference(|eta| at(eta).score, eta, step);
                let scale = terms.score.abs() * 1e-4 / step;
                assert_close(terms.weight, weight, scale, &format!("weight {what}"));
                let slope = difference(|eta| at(eta).weight, eta, step);
                let scale = terms.weight.abs() * 1e-4 / step;
                assert_close(terms.slope, slope, scale, &format!("slope {what}"));
            }
        }
    }
}

#[test]
fn shape_derivatives_are_those_of_the_terms() {
    for (distribution, link) in FAMILIES {
        let family = Family::new(distribution, link).unwrap();
        if !family.has_shape() {
            continue;
        }
        let (responses, etas) = examples(family);
        for (&y, &eta) in responses
            .iter()
            .flat_map(|y| etas.iter().map(move |eta| (y, eta)))
        {
            for log_shape in [-1.0, 0.5, 3.0, 9.0] {
                let at = |log_shape: f64| family.derivatives(y, 2.0, eta, log_shape);
                let terms = family.shape_derivatives(y, 2.0, eta, log_shape);
                let what = format!("{family:?} y {y} eta {eta} log shape {log_shape}");
                let value = difference(|s| at(s).value, log_shape, 0.01);
                assert_close(terms.value, value, at(log_shape).value.abs(), &what);
                let score = difference(|s| at(s).score, log_shape, 0.01);
                assert_close(terms.score, score, at(log_shape).score.abs(), &what);
                let weight = difference(|s| at(s).weight, log_shape, 0.01);
                assert_close(terms.weight, weight, at(log_shape).weight.abs(), &what);
                let constant = |s: f64| family.constant(y, 2.0, s);
                let slope = difference(constant, log_shape, 0.01);
                let scale = constant(log_shape).abs();
                assert_close(
                    family.constant_slope(y, 2.0, log_shape),
                    slope,
                    scale,
                    &what,
                );
            }
        }
    }
}

#[test]
fn expected_weights_average_the_observed_ones() {
    for (distribution, link) in FAMILIES {
        let family = Family::new(distribution, link).unwrap();
        let (log_shape, etas) = (0.7, [-0.9, 0.4, 1.3]);
        for eta in etas {
            let mu = family.mean(eta);
            if (distribution == Distribution::Binomial && mu >= 1.0) || eta < 0.0 && mu < 0.0 {
                continue;
            }
            let probability = |y: f64| family.log_density(y, 1.0, eta, log_shape).exp();
            let observed = |y: f64| family.derivatives(y, 1.0, eta, log_shape).weight;
            let expected = family.expected_weight(1.0, eta, log_shape);
            let average: f64 = match distribution {
                Distribution::Binomial => [0.0, 1.0]
                    .map(|y| probability(y) * observed(y))
                    .iter()
                    .sum(),
                // Linear in y.
                Distribution::Gamma => observed(mu),
                _ => (0..400)
                    .map(|y| probability(y as f64) * observed(y as f64))
                    .sum(),
            };
            assert!(
                (average - expected).abs() <= 1e-9 * expected,
                "{family:?} {eta}: {average} {expected}"
            );
        }
    }
}

#[test]
fn blocks_are_rows() {
    for ((distribution, link), log_shape) in
        FAMILIES.into_iter().flat_map(|f| [(f, 0.4), (f, 16.0)])
    {
        let family = Family::new(distribution, link).unwrap();
        let (responses, etas) = examples(family);
        let pairs: Vec<(f64, f64)> = (0..101)
            .map(|i| (responses[i % responses.len()], etas[i % etas.len()]))
            .collect();
        let response: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
        let eta: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
        let weights: Vec<f64> = (0..101).map(|i| 1.0 + f64::from(i % 3)).collect();
        let [mut value, mut score, mut weight, mut slope] = [[0.0; 101]; 4];
        let rows = Block {
            response: &response,
            weights: Some(&weights),
            eta: &eta,
            log_shape,
        };
        let mut to = BlockTerms {
            value: &mut value,
            score: &mut score,
            weight: &mut weight,
            slope: &mut slope,
        };
        let sum = family.block(&rows, &mut to);
        let mut expected = 0.0;
        for i in 0..101 {
            let terms = family.derivatives(response[i], weights[i], eta[i], log_shape);
            expected += terms.value;
            let close = |x: f64, y: f64| (x - y).abs() <= 1e-14 * (y.abs() + terms.weight.abs());
            assert!(close(score[i], terms.score) && close(weight[i], terms.weight));
            assert!(close(slope[i], terms.slope), "{family:?}");
            let error = (value[i] - terms.value).abs();
            assert!(error <= 1e-14 * (1.0 + terms.value.abs()), "{family:?}");
        }
        assert!(
            (sum - expected).abs() <= 1e-13 * expected.abs(),
            "{family:?}"
        );
        if !family.has_shape() {
            continue;
        }
        let mut to = BlockTerms {
            score: &mut score,
            weight: &mut weight,
            ..BlockTerms::default()
        };
        let sum = family.shape_block(&rows, &mut to);
        // What a large shape changes is little of what it is the difference of.
        let (mut expected, mut scale) = (0.0, 0.0);
        for i in 0..101 {
            let terms = family.shape_derivatives(response[i], weights[i], eta[i], log_shape);
            expected += terms.value;
            scale += weights[i] * family.mean(eta[i]);
            let close = |x: f64, y: f64| (x - y).abs() <= 1e-13 * (1.0 + y.abs());
            assert!(close(score[i], terms.score) && close(weight[i], terms.weight));
        }
        assert!(
            (sum - expected).abs() <= 1e-13 * (expected.abs() + scale),
            "{family:?}"
        );
    }
}

#[test]
fn extremes_stay_finite_or_leave_the_domain() {
    for (distribution, link) in FAMILIES {
        let family = Family::new(distribution, link).unwrap();
        let (responses, _) = examples(family);
        for &y in &responses {
            for eta in [-1e300, -1e10, -700.0, -40.0, 0.0, 40.0, 700.0, 1e10, 1e300] {
                let terms = family.derivatives(y, 1.0, eta, 0.3);
                assert!(!terms.value.is_nan(), "{family:?} {y} {eta}: {terms:?}");
                if terms.value > -1e100 && terms.value < 1e100 {
                    let finite = terms.score.is_finite() && terms.weight.is_finite();
                    assert!(
                        finite && terms.slope.is_finite(),
                        "{family:?} {y} {eta}: {terms:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn links_are_inverses() {
    for (distribution, link) in FAMILIES {
        let family = Family::new(distribution, link).unwrap();
        for mu in [0.01, 0.3, 0.9] {
            let back = family.mean(family.linear(mu));
            assert!((back - mu).abs() < 1e-10, "{family:?} {mu} {back}");
        }
    }
    assert!(Family::from_names("poisson", "logit").is_err());
    assert!(Family::from_names("gaussian", "identity").is_err());
}
