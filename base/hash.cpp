#include "base/hash.h"

#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <vector>

#include "base/error.h"

namespace plumb {

struct Sha256::Context {
  EVP_MD_CTX* digest = EVP_MD_CTX_new();
  Context() {
    if (digest == nullptr || EVP_DigestInit_ex(digest, EVP_sha256(), nullptr) != 1) {
      EVP_MD_CTX_free(digest);
      throw Error(ErrorKind::kInternal, "OpenSSL offers no SHA-256 here; needed is one that does");
    }
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(digest); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
  if (!context_)
    throw Error(ErrorKind::kInvariant, "a SHA-256 that was read already got more bytes");
  if (EVP_DigestUpdate(context_->digest, bytes.data(), bytes.size()) != 1)
    throw Error(ErrorKind::kInternal, text("OpenSSL's SHA-256 refused ", bytes.size(), " bytes"));
}

void Sha256::update(std::string_view text) { update(std::as_bytes(std::span(text))); }

std::string Sha256::hex() {
  if (!context_) throw Error(ErrorKind::kInvariant, "a SHA-256 was read twice");
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (EVP_DigestFinal_ex(context_->digest, digest.data(), &length) != 1)
    throw Error(ErrorKind::kInternal, "OpenSSL's SHA-256 did not finish");
  context_.reset();
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (unsigned int i = 0; i < length; ++i) {
    out += kDigits[digest[i] >> 4];
    out += kDigits[digest[i] & 15];
  }
  return out;
}

std::string sha256_hex(std::string_view bytes) {
  return sha256_hex(std::as_bytes(std::span(bytes)));
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string sha256_of_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    throw Error(ErrorKind::kInput,
                text("cannot open '", path.string(), "' to compute its SHA-256"));
  Sha256 hash;
  std::vector<char> buffer(1u << 20);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in.gcount() > 0)
    hash.update(std::string_view(buffer.data(), static_cast<size_t>(in.gcount())));
  if (in.bad() || !in.eof())  // a folder opens, and fails here
    throw Error(ErrorKind::kInput,
                text("cannot read '", path.string(), "' to compute its SHA-256"));
  return hash.hex();
}

}  // namespace plumb
