#include "base/hash.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"

namespace plumb {

/// One of OpenSSL's digests; spent once it was read.
class Digest {
 public:
  Digest(const EVP_MD* kind, const char* name) : name_(name), context_(EVP_MD_CTX_new()) {
    if (context_ == nullptr || EVP_DigestInit_ex(context_, kind, nullptr) != 1) {
      EVP_MD_CTX_free(context_);
      throw Error(ErrorKind::kInternal,
                  text("OpenSSL offers no ", name_, " here; needed is one that does"));
    }
  }
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
  ~Digest() { EVP_MD_CTX_free(context_); }

  void update(std::span<const std::byte> bytes) {
    if (spent_)
      throw Error(ErrorKind::kInvariant,
                  text("a ", name_, " that was read already got more bytes"));
    if (EVP_DigestUpdate(context_, bytes.data(), bytes.size()) != 1)
      throw Error(ErrorKind::kInternal,
                  text("OpenSSL's ", name_, " refused ", bytes.size(), " bytes"));
  }

  std::string hex() {
    if (spent_) throw Error(ErrorKind::kInvariant, text("a ", name_, " was read twice"));
    spent_ = true;
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    if (EVP_DigestFinal_ex(context_, digest.data(), &length) != 1)
      throw Error(ErrorKind::kInternal, text("OpenSSL's ", name_, " did not finish"));
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (unsigned int i = 0; i < length; ++i) {
      out += kDigits[digest[i] >> 4];
      out += kDigits[digest[i] & 15];
    }
    return out;
  }

 private:
  const char* name_;
  EVP_MD_CTX* context_;
  bool spent_ = false;
};

Sha256::Sha256() : digest_(std::make_unique<Digest>(EVP_sha256(), "SHA-256")) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
void Sha256::update(std::span<const std::byte> bytes) { digest_->update(bytes); }
void Sha256::update(std::string_view text) { update(std::as_bytes(std::span(text))); }
std::string Sha256::hex() { return digest_->hex(); }

GitBlobHash::GitBlobHash(uint64_t size_bytes)
    : digest_(std::make_unique<Digest>(EVP_sha1(), "SHA-1")) {
  const std::string header = text("blob ", size_bytes);
  digest_->update(std::as_bytes(std::span(header.c_str(), header.size() + 1)));  // with its NUL
}
GitBlobHash::~GitBlobHash() = default;
GitBlobHash::GitBlobHash(GitBlobHash&&) noexcept = default;
GitBlobHash& GitBlobHash::operator=(GitBlobHash&&) noexcept = default;
void GitBlobHash::update(std::span<const std::byte> bytes) { digest_->update(bytes); }
std::string GitBlobHash::hex() { return digest_->hex(); }

std::string sha256_hex(std::string_view bytes) {
  return sha256_hex(std::as_bytes(std::span(bytes)));
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string sha256_of_file(const InputFile& file, const std::stop_token& stop) {
  constexpr uint64_t kPiece = 1u << 20;
  std::vector<std::byte> piece(std::min<uint64_t>(kPiece, file.size()));
  Sha256 hash;
  for (uint64_t at = 0; at < file.size(); at += kPiece) {
    if (stop.stop_requested())
      throw Error(ErrorKind::kResource,
                  text("hashing ", file.path().string(), " was stopped at byte ", at));
    const std::span part(piece.data(), std::min<uint64_t>(kPiece, file.size() - at));
    file.read(at, part);
    hash.update(part);
  }
  return hash.hex();
}

std::string sha256_of_file(const std::filesystem::path& path) {
  return sha256_of_file(InputFile(path));
}

}  // namespace plumb
