/// How uncertain an objective is.

#pragma once

#include <aiopt/evaluation.hpp>
#include <aiopt/fitness.hpp>

namespace aiopt {

/// The standard error of `fitness.objective(evaluation, baseline)`: a bootstrap over the pairs (Efron, 1979), 32
/// resamples drawn with a fixed seed, so that the same figures always give the same value, times sqrt(n / (n - 1)) for
/// the variance that n pairs are too few to show. For medians the leave-one-out jackknife is not consistent (Efron,
/// 1982, chapter 3.4): with 3 to 20 pairs it let 8 to 12 of 100 equal candidates pass as credibly better where 5
/// should, against 3 to 5 of 100 by the bootstrap.
///
/// 10 % of the objective where there are fewer than 3 pairs, for two that agree by chance would seem exact. 0 for the
/// baseline, which is the measure itself, and where the objective is 0 or all pairs agree.
///
/// Costs 33 calls of objective(). Never negative; not finite only if the objective is not.
double objective_standard_error(const FitnessFunction& fitness, const Evaluation& evaluation,
                                const Evaluation& baseline);

}  // namespace aiopt
