//! Welch's t-test of two classes of measurements, with outliers cropped.

/// The quantiles of all measurements at which they are cropped. Interrupts and other processes make a few measurements
/// much longer, which hides small differences; where to cut is not known before, so several cuts are tried.
const QUANTILES: [f64; 6] = [0.25, 0.5, 0.75, 0.9, 0.99, 1.0];

/// The measurements of both classes.
#[derive(Default)]
pub(crate) struct Samples {
    classes: [Vec<f64>; 2],
}

/// What the test says about a calculation.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) enum Verdict {
    NoEvidence,
    Suspicious,
    Leak,
}

impl Samples {
    pub(crate) fn push(&mut self, class: usize, nanoseconds: f64) {
        self.classes[class].push(nanoseconds);
    }

    pub(crate) fn len(&self) -> usize {
        self.classes.iter().map(Vec::len).sum()
    }

    pub(crate) fn median(&self, class: usize) -> f64 {
        quantile(&sorted(self.classes[class].clone()), 0.5)
    }

    /// How much longer the first class takes than the second on average, without the longest quarter of measurements.
    pub(crate) fn difference(&self) -> f64 {
        let longest = quantile(&sorted(self.classes.concat()), 0.75);
        let mean = |class: &Vec<f64>| moments(class.iter().copied().filter(|time| *time <= longest)).1;
        mean(&self.classes[0]) - mean(&self.classes[1])
    }

    /// The t of greatest absolute value of all croppings.
    pub(crate) fn t(&self) -> f64 {
        let all = sorted(self.classes.concat());
        let cropped = QUANTILES.map(|share| self.t_cropped(quantile(&all, share)));
        cropped
            .into_iter()
            .max_by(|a, b| a.abs().total_cmp(&b.abs()))
            .unwrap_or(0.0)
    }

    fn t_cropped(&self, longest: f64) -> f64 {
        let [(n0, mean0, variance0), (n1, mean1, variance1)] = self
            .classes
            .each_ref()
            .map(|class| moments(class.iter().copied().filter(|time| *time <= longest)));
        let error = (variance0 / n0 + variance1 / n1).sqrt();
        // Few measurements say nothing, and times without any variance are equal.
        if n0 < 100.0 || n1 < 100.0 || error == 0.0 {
            return 0.0;
        }
        (mean0 - mean1) / error
    }
}

impl Verdict {
    /// The limits of dudect.
    pub(crate) fn of(t: f64) -> Self {
        match t.abs() {
            t if t < 4.5 => Self::NoEvidence,
            t if t < 10.0 => Self::Suspicious,
            _ => Self::Leak,
        }
    }
}

/// The count, mean and variance.
fn moments(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    // Welford's way, which does not lose the digits of a small variance.
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        let difference = value - mean;
        mean += difference / count;
        squares += difference * (value - mean);
    }
    (count, mean, squares / (count - 1.0))
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted
        .get(place.min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    use super::*;

    fn samples(difference: f64) -> Samples {
        let rng = &mut ChaCha20Rng::seed_from_u64(1);
        let mut samples = Samples::default();
        for index in 0..20_000 {
            let class = index % 2;
            let outlier = if rng.gen_range(0..50) == 0 { 10_000.0 } else { 0.0 };
            let time = rng.gen_range(900.0..1100.0) + outlier + class as f64 * difference;
            samples.push(class, time);
        }
        samples
    }

    #[test]
    fn equal_distributions_give_no_evidence() {
        assert_eq!(Verdict::of(samples(0.0).t()), Verdict::NoEvidence);
    }

    #[test]
    fn a_small_difference_among_outliers_is_found() {
        let samples = samples(10.0);
        assert_eq!(Verdict::of(samples.t()), Verdict::Leak);
        assert!(samples.t() < 0.0, "the second class takes longer");
        assert!(samples.t_cropped(f64::MAX).abs() < 4.5, "outliers hide it");
    }

    #[test]
    fn the_moments_are_those_of_the_textbook() {
        assert_eq!(
            moments([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].into_iter()),
            (8.0, 5.0, 32.0 / 7.0)
        );
    }

    #[test]
    fn constant_times_and_no_measurements_give_no_evidence() {
        assert_eq!(Samples::default().t(), 0.0);
        let mut samples = Samples::default();
        (0..400).for_each(|index| samples.push(index % 2, 5.0));
        assert_eq!(samples.t(), 0.0);
    }
}
