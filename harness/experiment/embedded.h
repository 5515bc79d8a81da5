#pragma once

#include <string_view>

namespace plumb::harness {

/// Files of the source tree that are part of the program (cmake/Embed.cmake): published numbers of fixtures/claims, each
/// with its source and tolerance, and the experiment that `plumb run` does without --config.
std::string_view collapse_fractions_json();
std::string_view dense_losses_json();
std::string_view shortgpt_curve_json();
std::string_view shortgpt_mmlu_json();
std::string_view published_starts_json();
std::string_view block_removal_mmlu_json();
std::string_view llama_2_70b_json();
std::string_view default_experiment_json();

/// Presets of data sets, fixtures/datasets: see harness/datasets/preset.h.
std::string_view c4_dataset_json();
std::string_view mmlu_dataset_json();
std::string_view boolq_dataset_json();
std::string_view hellaswag_dataset_json();
std::string_view arc_dataset_json();
std::string_view piqa_dataset_json();
std::string_view winogrande_dataset_json();

}  // namespace plumb::harness
