/* Linked against a whole archive and only the layers below it: an upward call does not link. */
int main(void)
{
	return 0;
}
