#include "formats/torch/torch_file.h"

#include <string_view>
#include <utility>

#include "formats/torch/stream_form.h"
#include "formats/torch/zip.h"
#include "libcore/base/format.h"

namespace nemo::torch {
namespace {

constexpr std::string_view kPickleName = "/data.pkl";

/// The folder that holds everything, with its '/'. It is named after the file as it was when saved,
/// so only the place of data.pkl tells.
Result<std::string> RootOf(const FileTree& zip) {
  std::string root;
  for (const std::string& name : zip.files()) {
    if (!name.ends_with(kPickleName) || name.find('/') != name.size() - kPickleName.size())
      continue;
    if (!root.empty()) return Corruption("two data.pkl in one archive");
    root = name.substr(0, name.size() - kPickleName.size() + 1);
  }
  if (root.empty()) return Corruption("a zip archive without data.pkl: not written by torch.save");
  return root;
}

Status CheckByteOrder(const FileTree& zip, const std::string& root) {
  const std::string name = root + "byteorder";
  if (!zip.Contains(name)) return OkStatus();  // before torch 2.1
  NEMO_ASSIGN_OR_RETURN(const auto file, zip.Open(name));
  NEMO_ASSIGN_OR_RETURN(const std::string order, ReadAll(*file, 100));
  if (order == "little") return OkStatus();
  return Unsupported(Format("byte order '{}'; this build reads little-endian files", order));
}

Result<TorchFile> OpenZipForm(std::shared_ptr<RandomAccessFile> file) {
  const std::string name = file->name();
  NEMO_ASSIGN_OR_RETURN(const auto zip, OpenZip(std::move(file)));
  Result<std::string> root = RootOf(*zip);
  if (!root) return root.error().At(name);
  if (const Status status = CheckByteOrder(*zip, *root); !status.ok()) return status.At(name);
  NEMO_ASSIGN_OR_RETURN(const auto pickle_file, zip->Open(*root + "data.pkl"));
  NEMO_ASSIGN_OR_RETURN(std::string bytes, ReadAll(*pickle_file, kMaxPickleBytes));
  Result<PickleDocument> pickle = ParsePickle(std::move(bytes));
  if (!pickle) return pickle.error().At(pickle_file->name());

  TorchFile torch_file{name, std::move(pickle).value(), {}};
  const std::string data = *root + "data/";
  for (const std::string& entry : zip->files()) {
    if (!entry.starts_with(data)) continue;
    NEMO_ASSIGN_OR_RETURN(torch_file.storages[entry.substr(data.size())], zip->Open(entry));
  }
  return torch_file;
}

}  // namespace

bool LooksLikeTorchFile(const RandomAccessFile& file) {
  return LooksLikeZip(file) || LooksLikeStreamForm(file);
}

Result<std::shared_ptr<const TorchFile>> OpenTorchFile(std::shared_ptr<RandomAccessFile> file) {
  const std::string name = file->name();
  Result<TorchFile> opened =
      LooksLikeZip(*file) ? OpenZipForm(std::move(file))
      : LooksLikeStreamForm(*file)
          ? OpenStreamForm(std::move(file))
          : Result<TorchFile>(Corruption(Format("{}: not a file of torch.save "
                                                "({} bytes; an interrupted copy?)",
                                                name, file->size_bytes())));
  if (!opened) return opened.error();
  return std::shared_ptr<const TorchFile>(std::make_shared<TorchFile>(std::move(opened).value()));
}

}  // namespace nemo::torch
