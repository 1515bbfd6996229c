// The bridge between Java and the delegate: `OnexnDelegate` calls it.

#include <jni.h>
#include <stddef.h>
#include <stdio.h>

#include <string>
#include <vector>

// what libonexn_delegate.so exports, as every runtime looks it up
extern "C" {
void* tflite_plugin_create_delegate(const char* const* keys, const char* const* values,
                                    size_t count, void (*report_error)(const char*));
void tflite_plugin_destroy_delegate(void* delegate);
}

namespace {

// the delegate reports without saying to whom
thread_local char error[512];

void Report(const char* message) { snprintf(error, sizeof(error), "%s", message); }

// Copies strings out of Java. Returns fewer where Java has thrown.
std::vector<std::string> Copy(JNIEnv* env, jobjectArray strings) {
  std::vector<std::string> copies;
  const jsize count = env->GetArrayLength(strings);
  for (jsize i = 0; i < count; ++i) {
    auto string = static_cast<jstring>(env->GetObjectArrayElement(strings, i));
    const char* text = env->GetStringUTFChars(string, nullptr);
    if (text == nullptr) break;
    copies.emplace_back(text);
    env->ReleaseStringUTFChars(string, text);
    env->DeleteLocalRef(string);
  }
  return copies;
}

std::vector<const char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<const char*> pointers;
  for (const std::string& string : strings) pointers.push_back(string.c_str());
  return pointers;
}

}  // namespace

extern "C" JNIEXPORT jlong JNICALL Java_com_example_onexn_OnexnDelegate_create(
    JNIEnv* env, jobject, jobjectArray keys, jobjectArray values) {
  const std::vector<std::string> key_copies = Copy(env, keys);
  const std::vector<std::string> value_copies = Copy(env, values);
  if (env->ExceptionCheck()) return 0;
  error[0] = '\0';
  void* delegate = tflite_plugin_create_delegate(Pointers(key_copies).data(),
                                                 Pointers(value_copies).data(),
                                                 key_copies.size(), Report);
  if (delegate == nullptr) {
    env->ThrowNew(env->FindClass("java/lang/IllegalArgumentException"), error);
  }
  return reinterpret_cast<jlong>(delegate);
}

extern "C" JNIEXPORT void JNICALL
Java_com_example_onexn_OnexnDelegate_destroy(JNIEnv*, jobject, jlong delegate) {
  tflite_plugin_destroy_delegate(reinterpret_cast<void*>(delegate));
}
