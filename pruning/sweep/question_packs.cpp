#include "pruning/sweep/question_packs.h"

#include <algorithm>

#include "base/error.h"

namespace plumb::pruning {
namespace {

using metrics::Reading;
using metrics::Request;
using Ids = std::span<const int32_t>;

/// The ids of a pack's sequences as a tree whose edges are runs of ids.
class IdTree {
 public:
  explicit IdTree(int64_t least_shared) : least_shared_(static_cast<size_t>(least_shared)) {}

  /// Number of the sequence, whose rows `rows_of` then says.
  size_t add(Ids ids) {
    ends_.push_back(place(0, ids));
    return ends_.size() - 1;
  }

  /// Rows that the tree would have with it, beyond those it has.
  size_t new_rows(Ids ids) const {
    size_t node = 0;
    for (;;) {
      const auto [child, shared] = best_child(node, ids);
      if (shared == 0) return ids.size();
      ids = ids.subspan(shared);
      if (shared < nodes_[child].ids.size() || ids.empty()) return ids.size();
      node = child;
    }
  }

  /// The tree as a packing, each node after its parent and followed by what continues it.
  models::Packing packing() {
    models::Packing out;
    for (const size_t child : nodes_[0].children) lay_out(child, -1, out);
    return out;
  }

  /// Row of each id of a sequence; after packing().
  std::vector<int64_t> rows_of(size_t sequence) const {
    std::vector<int64_t> rows;
    for (size_t node = ends_[sequence]; node != 0; node = nodes_[node].parent)
      for (size_t i = nodes_[node].ids.size(); i-- > 0;)
        rows.push_back(nodes_[node].first_row + static_cast<int64_t>(i));
    std::reverse(rows.begin(), rows.end());
    return rows;
  }

 private:
  struct Node {
    std::vector<int32_t> ids = {};
    size_t parent = 0;
    std::vector<size_t> children = {};
    int64_t first_row = 0;
  };

  /// The child that shares the most ids with `ids`, and how many, if they are enough to be shared; {0, 0} else.
  std::pair<size_t, size_t> best_child(size_t node, Ids ids) const {
    std::pair<size_t, size_t> best{0, 0};
    for (const size_t child : nodes_[node].children) {
      const size_t shared = metrics::shared_prefix(nodes_[child].ids, ids);
      const bool whole = shared == nodes_[child].ids.size() || shared == ids.size();
      if ((shared >= least_shared_ || (whole && shared > 0)) && shared > best.second)
        best = {child, shared};
    }
    return best;
  }

  /// The node that the ids end with, which is made where it is not there.
  size_t place(size_t node, Ids ids) {
    while (!ids.empty()) {
      const auto [child, shared] = best_child(node, ids);
      if (shared == 0) return new_node(node, ids);
      if (shared < nodes_[child].ids.size()) split(child, shared);
      node = child;
      ids = ids.subspan(shared);
    }
    return node;
  }

  size_t new_node(size_t parent, Ids ids) {
    nodes_.push_back({{ids.begin(), ids.end()}, parent, {}});
    nodes_[parent].children.push_back(nodes_.size() - 1);
    return nodes_.size() - 1;
  }

  /// `node` keeps its first `count` ids; the rest is a new child that takes over what continued it, and its end.
  void split(size_t node, size_t count) {
    Node rest{
        {nodes_[node].ids.begin() + static_cast<std::ptrdiff_t>(count), nodes_[node].ids.end()},
        node,
        std::move(nodes_[node].children)};
    const size_t number = nodes_.size();
    for (const size_t child : rest.children) nodes_[child].parent = number;
    for (size_t& end : ends_)
      if (end == node) end = number;
    nodes_.push_back(std::move(rest));
    nodes_[node].ids.resize(count);
    nodes_[node].children = {number};
  }

  void lay_out(size_t node, int64_t parent, models::Packing& out) {
    const int64_t sequence = out.add(nodes_[node].ids, parent);
    nodes_[node].first_row = out.sequences.back().first;
    for (const size_t child : nodes_[node].children) lay_out(child, sequence, out);
  }

  size_t least_shared_;
  std::vector<Node> nodes_{1};
  std::vector<size_t> ends_;
};

/// Ids that are run: of what is scored the last one is only predicted.
Ids run_ids(const Request& request, const metrics::Sequence& sequence) {
  const Ids ids = sequence.ids;
  return request.reading == Reading::kLetters ? ids : ids.first(ids.size() - 1);
}

void require_packable(const Request& request, size_t number) {
  bool fits = !request.sequences.empty() && request.reading != Reading::kGeneration;
  if (request.reading == Reading::kLetters)
    fits = fits && request.sequences.size() == 1 && !request.sequences[0].ids.empty() &&
           !request.letters.empty();
  else
    for (const metrics::Sequence& s : request.sequences)
      fits = fits && s.context >= 1 && s.context < static_cast<int64_t>(s.ids.size());
  if (!fits)
    throw Error(ErrorKind::kInvariant, text("request ", number, " has nothing that can be packed"));
}

/// One pack as it grows.
class PackMaker {
 public:
  PackMaker(std::span<const Request> requests, size_t first, int64_t least_shared)
      : requests_(requests), tree_(least_shared) {
    pack_.first = static_cast<int64_t>(first);
    pack_.reading = requests[first].reading;
  }

  /// Takes the next request, if it fits.
  bool take(int64_t limit) {
    const Request& next = requests_[static_cast<size_t>(pack_.first + pack_.count)];
    if (next.reading != pack_.reading) return false;
    // An upper bound: what its sequences share with each other is counted for each.
    size_t more = 0;
    for (const auto& sequence : next.sequences) more += tree_.new_rows(run_ids(next, sequence));
    if (pack_.count > 0 && rows_ + static_cast<int64_t>(more) > limit) return false;
    for (const auto& sequence : next.sequences) {
      rows_ += static_cast<int64_t>(tree_.new_rows(run_ids(next, sequence)));
      tree_.add(run_ids(next, sequence));
    }
    ++pack_.count;
    return true;
  }

  QuestionPack finish() {
    pack_.packing = tree_.packing();
    size_t sequence = 0;
    for (int64_t r = 0; r < pack_.count; ++r) {
      const Request& request = requests_[static_cast<size_t>(pack_.first + r)];
      for (size_t s = 0; s < request.sequences.size(); ++s, ++sequence)
        add_values(pack_.first + r, request, static_cast<int64_t>(s), tree_.rows_of(sequence));
    }
    number_states();
    return std::move(pack_);
  }

 private:
  /// States are rows as yet.
  void add_values(int64_t number, const Request& request, int64_t s,
                  const std::vector<int64_t>& rows) {
    if (request.reading == Reading::kLetters) {
      for (size_t c = 0; c < request.letters.size(); ++c)
        pack_.values.push_back(
            {number, static_cast<int64_t>(c), {rows.back()}, {request.letters[c]}});
      return;
    }
    const metrics::Sequence& sequence = request.sequences[static_cast<size_t>(s)];
    PackedValue value{number, s, {}, {}};
    for (auto i = static_cast<size_t>(sequence.context); i < sequence.ids.size(); ++i) {
      value.states.push_back(rows[i - 1]);
      value.tokens.push_back(sequence.ids[i]);
    }
    pack_.values.push_back(std::move(value));
  }

  void number_states() {
    for (const PackedValue& value : pack_.values)
      pack_.read.insert(pack_.read.end(), value.states.begin(), value.states.end());
    std::sort(pack_.read.begin(), pack_.read.end());
    pack_.read.erase(std::unique(pack_.read.begin(), pack_.read.end()), pack_.read.end());
    for (PackedValue& value : pack_.values)
      for (int64_t& state : value.states)
        state = std::lower_bound(pack_.read.begin(), pack_.read.end(), state) - pack_.read.begin();
  }

  std::span<const Request> requests_;
  IdTree tree_;
  QuestionPack pack_;
  int64_t rows_ = 0;
};

}  // namespace

std::vector<QuestionPack> pack_questions(std::span<const Request> requests, int64_t rows,
                                         int64_t least_shared) {
  for (size_t i = 0; i < requests.size(); ++i) require_packable(requests[i], i);
  std::vector<QuestionPack> packs;
  for (size_t next = 0; next < requests.size();) {
    PackMaker maker(requests, next, least_shared);
    while (next < requests.size() && maker.take(rows)) ++next;
    packs.push_back(maker.finish());
  }
  return packs;
}

}  // namespace plumb::pruning
