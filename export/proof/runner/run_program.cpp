// Runs one ExecuTorch program on raw numbers: run_program PROGRAM INPUT OUTPUT
//
// INPUT and OUTPUT hold little-endian float32 in C order. The program's method `forward` takes one tensor, whose static shape it
// states itself, and gives one. Exit status 0; else 1 and one line on stderr that says what failed.

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using executorch::aten::ScalarType;
using executorch::aten::SizesType;
using executorch::extension::Module;
using executorch::runtime::Error;

std::runtime_error failure(const std::string& what, Error error) {
  return std::runtime_error(what + ": ExecuTorch error " + std::to_string(static_cast<int>(error)));
}

std::vector<char> read_bytes(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    throw std::runtime_error("cannot read " + path);
  }
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void write_bytes(const std::string& path, const void* data, size_t size) {
  std::ofstream stream(path, std::ios::binary);
  if (!stream.write(static_cast<const char*>(data), static_cast<std::streamsize>(size)).flush()) {
    throw std::runtime_error("cannot write " + path);
  }
}

std::vector<SizesType> input_shape(Module& program) {
  const auto method = program.method_meta("forward");
  if (!method.ok()) {
    throw failure("the program has no method forward", method.error());
  }
  const auto input = method->input_tensor_meta(0);
  if (!input.ok() || method->num_inputs() != 1 || input->scalar_type() != ScalarType::Float) {
    throw std::runtime_error("forward does not take one float32 tensor");
  }
  return {input->sizes().begin(), input->sizes().end()};
}

void run(const std::string& program_path, const std::string& input_path, const std::string& output_path) {
  Module program(program_path);
  const Error loaded = program.load_method("forward");
  if (loaded != Error::Ok) {
    throw failure("the runtime does not load " + program_path, loaded);
  }
  const std::vector<SizesType> shape = input_shape(program);
  std::vector<char> bytes = read_bytes(input_path);
  size_t expected = sizeof(float);
  for (const SizesType size : shape) {
    expected *= static_cast<size_t>(size);
  }
  if (bytes.size() != expected) {
    throw std::runtime_error(input_path + " has " + std::to_string(bytes.size()) + " bytes; the program takes " + std::to_string(expected));
  }
  const auto results = program.forward(executorch::extension::from_blob(bytes.data(), shape));
  if (!results.ok()) {
    throw failure("forward fails", results.error());
  }
  if (results->size() != 1 || !results->at(0).isTensor() || results->at(0).toTensor().scalar_type() != ScalarType::Float) {
    throw std::runtime_error("forward does not give one float32 tensor");
  }
  const auto output = results->at(0).toTensor();
  write_bytes(output_path, output.const_data_ptr(), output.nbytes());
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: run_program PROGRAM INPUT OUTPUT\n");
    return 2;
  }
  try {
    run(arguments[1], arguments[2], arguments[3]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
