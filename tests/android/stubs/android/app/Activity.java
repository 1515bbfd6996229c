package android.app;

public class Activity extends android.content.Context {
    protected void onCreate(android.os.Bundle savedInstanceState) {}

    public void setContentView(android.view.View view) {}

    public final void runOnUiThread(Runnable action) {
        action.run();
    }
}
