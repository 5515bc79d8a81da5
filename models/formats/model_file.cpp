#include "models/formats/model_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "models/formats/bounds.h"

namespace plumb::models {

ModelFile::ModelFile(const std::filesystem::path& path)
    : map_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0)
    throw Error(ErrorKind::kInput, text("cannot open ", printable(path.string()), ": ",
                                        std::generic_category().message(errno)));
}

ModelFile::ModelFile(ModelFile&& other) noexcept
    : map_(std::move(other.map_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

ModelFile::~ModelFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void ModelFile::read(uint64_t begin, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t got = ::pread(descriptor_, out.data(), std::min<size_t>(out.size(), 1u << 30),
                                static_cast<off_t>(begin));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0)
      throw Error(ErrorKind::kInput, text(printable(path().filename().string()),
                                          " cannot be read at byte ", begin, ": ",
                                          got < 0 ? std::generic_category().message(errno)
                                                  : "it has become shorter since it was opened"));
    begin += static_cast<uint64_t>(got);
    out = out.subspan(static_cast<size_t>(got));
  }
}

void ModelFile::add_to(Sha256& hash) const {
  constexpr uint64_t kPiece = 1u << 20;
  std::vector<std::byte> piece(std::min<uint64_t>(kPiece, mapped().size()));
  for (uint64_t at = 0; at < mapped().size(); at += kPiece) {
    const std::span part(piece.data(), std::min<uint64_t>(kPiece, mapped().size() - at));
    read(at, part);
    hash.update(part);
  }
}

}  // namespace plumb::models
