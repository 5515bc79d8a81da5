#include "models/formats/model_file.h"

#include "base/error.h"
#include "base/remembered_hash.h"
#include "models/formats/bounds.h"

namespace plumb::models {

ModelFile::ModelFile(const std::filesystem::path& path) : file_(path) {
  if (size() == 0)
    throw Error(ErrorKind::kInput,
                text(printable(path.string()), " is empty (0 bytes); was its download cut short?"));
}

std::string ModelFile::sha256(const std::stop_token& stop) const {
  return remembered_sha256(file_, stop);
}

}  // namespace plumb::models
