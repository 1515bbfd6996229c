package com.example.onexn

import org.tensorflow.lite.Delegate

/**
 * The delegate for 1×N kernels, for `Interpreter.Options.addDelegate`.
 *
 * Close it after the interpreter that it was given to.
 *
 * @param options as the delegate's documentation lists them, such as `num_threads`.
 * @throws IllegalArgumentException if it does not know an option.
 */
class OnexnDelegate(options: Map<String, String> = emptyMap()) : Delegate, AutoCloseable {
    private var handle = create(options.keys.toTypedArray(), options.values.toTypedArray())

    override fun getNativeHandle(): Long = handle

    override fun close() {
        destroy(handle)
        handle = 0
    }

    private external fun create(keys: Array<String>, values: Array<String>): Long

    private external fun destroy(delegate: Long)

    private companion object {
        init {
            System.loadLibrary("onexn_jni")
        }
    }
}
