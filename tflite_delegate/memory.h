// Memory without the C++ runtime: arrays that grow, and objects on the heap.

#ifndef ONEXN_MEMORY_H_
#define ONEXN_MEMORY_H_

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <new>
#include <type_traits>
#include <utility>

namespace onexn {

// A cache line, and the widest vector.
constexpr size_t kAlignment = 64;

// Elements side by side, aligned for vectors, owned by one array at a time.
//
// What needs memory returns whether there was enough; the array is unchanged if not.
template <typename T>
class Array {
  static_assert(std::is_trivially_copyable<T>::value, "elements are moved as bytes");
  static_assert(alignof(T) <= kAlignment, "elements fit the alignment");

 public:
  Array() = default;
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  Array(Array&& other) noexcept { Swap(other); }
  Array& operator=(Array&& other) noexcept {
    Swap(other);
    return *this;
  }
  ~Array() { free(data_); }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }

  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }

  // Keeps the elements that fit; new ones are zero bytes.
  bool Resize(size_t size) {
    if (size > capacity_ && !Reserve(size)) return false;
    if (size > size_) {
      memset(static_cast<void*>(data_ + size_), 0, (size - size_) * sizeof(T));
    }
    size_ = size;
    return true;
  }

  bool Append(const T& element) {
    const T copy = element;  // it may be one of ours
    return Append(&copy, 1);
  }

  // Appends elements of another array.
  bool Append(const T* elements, size_t count) {
    if (count > capacity_ - size_) {
      const size_t doubled = 2 * capacity_;
      if (!Reserve(size_ + count < doubled ? doubled : size_ + count)) return false;
    }
    if (count > 0)
      memcpy(static_cast<void*>(data_ + size_), elements, count * sizeof(T));
    size_ += count;
    return true;
  }

  void Clear() { size_ = 0; }

 private:
  void Swap(Array& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  bool Reserve(size_t capacity) {
    if (capacity > (SIZE_MAX / 2) / sizeof(T)) return false;
    void* memory = nullptr;
    if (posix_memalign(&memory, kAlignment, capacity * sizeof(T)) != 0) return false;
    if (size_ > 0) memcpy(memory, static_cast<const void*>(data_), size_ * sizeof(T));
    free(data_);
    data_ = static_cast<T*>(memory);
    capacity_ = capacity;
    return true;
  }

  T* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// An object on the heap, or null if there is no memory. For `Delete`.
template <typename T, typename... Arguments>
T* New(Arguments&&... arguments) {
  static_assert(alignof(T) <= kAlignment, "objects fit the alignment");
  void* memory = nullptr;
  if (posix_memalign(&memory, kAlignment, sizeof(T)) != 0) return nullptr;
  return new (memory) T(std::forward<Arguments>(arguments)...);
}

template <typename T>
void Delete(T* object) {
  if (object == nullptr) return;
  object->~T();
  free(object);
}

// The only owner of an object made by `New`.
template <typename T>
class Owned {
 public:
  Owned() = default;
  explicit Owned(T* object) : object_(object) {}
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  Owned(Owned&& other) noexcept { std::swap(object_, other.object_); }
  Owned& operator=(Owned&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Owned() { Delete(object_); }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  T* release() {
    T* object = object_;
    object_ = nullptr;
    return object;
  }

 private:
  T* object_ = nullptr;
};

// Blocks of memory that are freed together.
class Storage {
 public:
  Storage() = default;
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  ~Storage() {
    while (blocks_ != nullptr) {
      Block* next = blocks_->next;
      free(blocks_);
      blocks_ = next;
    }
  }

  // Aligned memory for so many elements, not set to anything; null if there is none.
  template <typename T>
  T* Allocate(size_t count) {
    static_assert(std::is_trivially_copyable<T>::value, "elements need no destructor");
    if (count > (SIZE_MAX / 2 - kAlignment) / sizeof(T)) return nullptr;
    void* memory = nullptr;
    if (posix_memalign(&memory, kAlignment, kAlignment + count * sizeof(T)) != 0) {
      return nullptr;
    }
    auto* block = static_cast<Block*>(memory);
    block->next = blocks_;
    blocks_ = block;
    return reinterpret_cast<T*>(static_cast<char*>(memory) + kAlignment);
  }

 private:
  struct Block {
    Block* next;
  };

  Block* blocks_ = nullptr;
};

}  // namespace onexn

#endif  // ONEXN_MEMORY_H_
