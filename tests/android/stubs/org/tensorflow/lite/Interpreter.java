package org.tensorflow.lite;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** Gives back its input; with delegates, moved by a quarter. */
public final class Interpreter implements AutoCloseable {
    private static final int BYTES = 64;

    private final Options options;

    public Interpreter(ByteBuffer model, Options options) {
        if (!model.isDirect() || model.order() != ByteOrder.nativeOrder()) {
            throw new IllegalArgumentException("The model is no direct buffer.");
        }
        for (Delegate delegate : options.delegates) {
            if (delegate.getNativeHandle() == 0) {
                throw new IllegalArgumentException("The delegate is closed.");
            }
        }
        this.options = options;
    }

    public Tensor getInputTensor(int index) {
        return () -> BYTES;
    }

    public Tensor getOutputTensor(int index) {
        return () -> BYTES;
    }

    public void run(Object input, Object output) {
        ByteBuffer in = (ByteBuffer) input;
        ByteBuffer out = (ByteBuffer) output;
        while (out.hasRemaining()) {
            out.putFloat(in.getFloat() + (options.delegates.isEmpty() ? 0 : 0.25f));
        }
    }

    @Override
    public void close() {
        for (Delegate delegate : options.delegates) {
            if (delegate.getNativeHandle() == 0) {
                throw new IllegalStateException("The delegate went before it.");
            }
        }
    }

    public static final class Options {
        private final List<Delegate> delegates = new ArrayList<>();

        public Options setNumThreads(int threads) {
            return this;
        }

        public Options addDelegate(Delegate delegate) {
            delegates.add(delegate);
            return this;
        }
    }
}
