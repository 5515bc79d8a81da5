#include "models/formats/model_file.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "models/formats/bounds.h"

namespace plumb::models {

ModelFile::ModelFile(const std::filesystem::path& path) : file_(path) {
  if (size() == 0)
    throw Error(ErrorKind::kInput,
                text(printable(path.string()), " is empty (0 bytes); was its download cut short?"));
}

void ModelFile::add_to(Sha256& hash) const {
  constexpr uint64_t kPiece = 1u << 20;
  std::vector<std::byte> piece(std::min<uint64_t>(kPiece, size()));
  for (uint64_t at = 0; at < size(); at += kPiece) {
    const std::span part(piece.data(), std::min<uint64_t>(kPiece, size() - at));
    read(at, part);
    hash.update(part);
  }
}

}  // namespace plumb::models
