import com.sun.net.httpserver.HttpServer;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;

/** Main STACK consume TEMPLATE, or Main STACK provide AUTHORITY SERVICE…; STACK is a class. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        Stack stack = (Stack) Class.forName(arguments[0]).getDeclaredConstructor().newInstance();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        if (arguments[1].equals("provide")) {
            List<X509Certificate> services = new ArrayList<>();
            for (int i = 3; i < arguments.length; i++) services.add(Credential.certificate(arguments[i]));
            HttpServer server = Provider.listen(stack, new Trust(Credential.certificate(arguments[2]), services));
            System.out.println("listening " + server.getAddress().getPort());
            while (in.readLine() != null) {}
            server.stop(0);
            return;
        }
        Consumer consumer = new Consumer(stack, Files.readString(Path.of(arguments[2])).trim());
        for (String line; (line = in.readLine()) != null; ) {
            try {
                System.out.println(obey(consumer, line.split("\t")));
            } catch (Exception e) {
                e.printStackTrace();
                System.out.println("error " + e);
            }
        }
    }

    private static String obey(Consumer consumer, String[] words) throws Exception {
        return words[0].equals("token")
                ? consumer.token(words[1], words[2], Credential.read(words[3]), Credential.read(words[4]), Path.of(words[5]), words[6])
                : consumer.call(words[1], Path.of(words[2]), Credential.read(words[3]), words[4]);
    }
}
