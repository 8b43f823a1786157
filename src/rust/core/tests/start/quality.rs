use ember_core::mixture::data::Data;
use ember_core::mixture::start::Criterion::{EqualSpheres, UnequalEllipsoids};
use ember_core::mixture::start::{kmeans_plus_plus, random_start, Tree};
use ember_core::rng::stream;

use super::{balls, load, same_partition};

/// Within sum of squares in columns scaled to variance one (divisor n).
fn within(data: &Data, labels: &[u32], k: usize) -> f64 {
    let n = data.rows() as f64;
    (0..data.columns())
        .map(|j| {
            let x = data.column(j);
            let mean = x.iter().sum::<f64>() / n;
            let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
            let part = |label: usize| {
                let own: Vec<f64> = (0..x.len())
                    .filter(|&i| labels[i] as usize == label)
                    .map(|i| x[i])
                    .collect();
                let center = own.iter().sum::<f64>() / own.len() as f64;
                own.iter().map(|x| (x - center) * (x - center)).sum::<f64>()
            };
            (0..k).map(part).sum::<f64>() / variance
        })
        .sum()
}

/// R: kmeans(scaled x, k, nstart = 500)$tot.withinss for k = 2..6.
#[test]
fn kmeans_reaches_the_known_optimum() {
    let faithful = [
        79.5759594882769,
        56.3136177403626,
        43.8709592896371,
        34.2623170235476,
        27.2811288931366,
    ];
    let iris = [
        222.3617049650231,
        139.8204963597497,
        114.0922384356827,
        90.8072831507854,
        79.9985580459677,
    ];
    // Share of R's kmeans(algorithm = "Lloyd", nstart = 1) that ends within a tenth of it.
    let random_centres = [[1.0, 0.72, 0.83, 0.39, 0.46], [1.0, 0.81, 0.93, 0.40, 0.62]];
    for ((name, optimum), shares) in [("faithful", faithful), ("iris", iris)]
        .into_iter()
        .zip(random_centres)
    {
        let x = load(name);
        let data = x.data();
        for ((k, optimum), share) in (2..).zip(optimum).zip(shares) {
            let sums: Vec<f64> = (0..20)
                .map(|s| {
                    let labels = kmeans_plus_plus(&data, k, &mut stream(1, s)).unwrap();
                    within(&data, &labels, k)
                })
                .collect();
            let best = sums.iter().copied().fold(f64::INFINITY, f64::min);
            assert!(
                best > optimum * (1.0 - 1e-9),
                "{name} {k}: {best} beats {optimum}"
            );
            assert!(
                best < optimum * (1.0 + 1e-3),
                "{name} {k}: {best} not {optimum}"
            );
            let good = sums.iter().filter(|s| **s < 1.1 * optimum).count();
            assert!(good as f64 >= 20.0 * share, "{name} {k}: {sums:?}");
        }
    }
}

#[test]
fn separated_balls_are_found_in_every_way() {
    for (n, d, k) in [(60, 1, 3), (300, 2, 5), (40_000, 3, 6)] {
        let x = balls(n, d, k, 4);
        let data = x.data();
        let truth: Vec<u32> = (0..n).map(|i| (i % k) as u32).collect();
        let labels = kmeans_plus_plus(&data, k, &mut stream(2, 0)).unwrap();
        assert!(same_partition(&labels, &truth), "kmeans {n} {d} {k}");
        let tree = Tree::grow(&data, 9, 1000, &mut stream(2, 0)).unwrap();
        for criterion in [EqualSpheres, UnequalEllipsoids] {
            let labels = tree.labels(&data, k, criterion).unwrap();
            assert!(same_partition(&labels, &truth), "{criterion:?} {n} {d} {k}");
        }
    }
}

#[test]
fn a_tree_is_nested() {
    let x = load("iris");
    let tree = Tree::grow(&x.data(), 12, 2000, &mut stream(1, 0)).unwrap();
    for criterion in [EqualSpheres, UnequalEllipsoids] {
        for k in 2..=12 {
            let fine = tree.sample_labels(k, criterion).unwrap();
            let coarse = tree.sample_labels(k - 1, criterion).unwrap();
            assert_eq!(fine.iter().max(), Some(&(k as u32 - 1)));
            let mut parent = vec![None; k];
            for (fine, coarse) in fine.iter().zip(&coarse) {
                assert_eq!(parent[*fine as usize].get_or_insert(*coarse), coarse);
            }
        }
    }
    assert!(tree.sample_labels(13, EqualSpheres).is_err());
}

#[test]
fn random_starts_differ_and_use_every_label() {
    let x = load("iris");
    let data = x.data();
    let starts: Vec<Vec<u32>> = (0..10)
        .map(|s| random_start(&data, 4, &mut stream(9, s)).unwrap())
        .collect();
    for labels in &starts {
        assert!((0..4).all(|k| labels.contains(&k)));
    }
    let distinct = (0..10)
        .filter(|&a| (0..a).all(|b| !same_partition(&starts[a], &starts[b])))
        .count();
    assert!(distinct >= 8, "{distinct}");
    let again = random_start(&data, 4, &mut stream(9, 3)).unwrap();
    assert_eq!(again, starts[3]);
}
